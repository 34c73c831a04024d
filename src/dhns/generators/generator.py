"""What a generator of negative embeddings takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dhns.generators.levels import HardnessLevel
from dhns.models.batch import EmbeddedPositives


@dataclass(frozen=True)
class GeneratedNegatives:
    """Negative entity embeddings for B positives, both sides, L levels.

    Attributes:
        positives: the positives that they corrupt.
        views: ``(L, 2, B, D)`` per view; side 0 replaces tails, side 1 heads.
        present: ``(B,)`` bool per view: the positive has that view at both ends.
    """

    positives: EmbeddedPositives
    views: dict[str, Tensor]
    present: dict[str, Tensor]


class NegativeGenerator(nn.Module, ABC):
    """Makes negative embeddings; one that learns has parameters and a loss of its own.

    A subclass is made from ``encoder=``, ``scorer=``, ``levels=`` and settings, keeps neither of the first two as a
    part of itself, and implements `loss` and `sample`; it may override `generate` where a view is there that its
    positive lacks. `dhns.testing.check_generator` holds it to its contract.

    Attributes:
        levels: the hardness levels, in the order of the first axis of what is generated.
        view_names: the views that are generated.
        rows: positives per batch that the generator learns from and makes negatives for; all when null.
        detach_inputs: its loss does not go back through the positives, nor train the model that it generates for.
    """

    levels: tuple[HardnessLevel, ...]
    view_names: tuple[str, ...]
    rows: int | None
    detach_inputs: bool = True

    @abstractmethod
    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor | None:
        """The generator's own loss, or None if it has nothing to learn."""

    @abstractmethod
    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        """``(V, L, 2, B, D)`` embeddings in the place of tails (side 0) and heads (side 1); called without autograd."""

    def generate(self, positives: EmbeddedPositives, rng: torch.Generator) -> GeneratedNegatives:
        """Negatives for the first ``rows`` positives: constants, but their positives keep their gradients."""
        positives = positives.first(self.rows)
        with torch.no_grad():
            samples = self.sample(positives, rng)
        return GeneratedNegatives(
            positives,
            dict(zip(self.view_names, samples, strict=True)),
            dict(zip(self.view_names, positives.present(self.view_names), strict=True)),
        )
