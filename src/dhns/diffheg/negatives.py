"""What a generator of negative embeddings takes and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dhns.diffheg.levels import HardnessLevel
from dhns.encoders.encoder import Encoded


@dataclass(frozen=True)
class EmbeddedPositives:
    """B positives, embedded.

    Attributes:
        head, tail: all views and the joint embedding, ``(B, D)`` each.
        relation: ``(B, R)``.
    """

    head: Encoded
    relation: Tensor
    tail: Encoded

    def first(self, rows: int | None) -> EmbeddedPositives:
        """The first ``rows`` positives; batches are shuffled, so these are a random choice."""
        if rows is None or rows >= len(self.relation):
            return self
        index = torch.arange(rows, device=self.relation.device)
        return EmbeddedPositives(self.head.rows(index), self.relation[:rows], self.tail.rows(index))

    def detach(self) -> EmbeddedPositives:
        """The same values, cut from the graph."""
        head, tail = (
            Encoded(e.joint.detach(), {name: view.detach() for name, view in e.views.items()}, e.present)
            for e in (self.head, self.tail)
        )
        return EmbeddedPositives(head, self.relation.detach(), tail)

    def observed(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the observed entity: heads on side 0, where tails are generated, and vice versa."""
        return torch.stack([torch.stack([self.head.views[v], self.tail.views[v]]) for v in views])

    def replaced(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the true entity that a generated one replaces: tails on side 0, heads on side 1."""
        return torch.stack([torch.stack([self.tail.views[v], self.head.views[v]]) for v in views])

    def present(self, views: Sequence[str]) -> Tensor:
        """``(V, B)`` bool: both ends of the positive have the view."""
        return torch.stack([self.head.present[v] & self.tail.present[v] for v in views])

    def head_side(self) -> Tensor:
        """``(2, B)`` bool: false on side 0 (tails are generated), true on side 1."""
        rows = len(self.relation)
        return torch.tensor([False, True], device=self.relation.device)[:, None].expand(2, rows)


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

    Attributes:
        levels: the hardness levels, in the order of the first axis of what is generated.
        view_names: the views that are generated.
        rows: positives per batch that the generator learns from and makes negatives for; all when null.
        detach_inputs: its loss does not train the model that it generates for.
    """

    levels: tuple[HardnessLevel, ...]
    view_names: tuple[str, ...]
    rows: int | None
    detach_inputs: bool = True

    @abstractmethod
    def loss(self, positives: EmbeddedPositives, generator: torch.Generator) -> Tensor | None:
        """The generator's own loss, or None if it has nothing to learn."""

    @abstractmethod
    def sample(self, positives: EmbeddedPositives, generator: torch.Generator) -> Tensor:
        """``(V, L, 2, B, D)`` embeddings in the place of tails (side 0) and heads (side 1); called without autograd."""

    def generate(self, positives: EmbeddedPositives, generator: torch.Generator) -> GeneratedNegatives:
        """Negatives for the first ``rows`` positives: constants, but their positives keep their gradients."""
        positives = positives.first(self.rows)
        with torch.no_grad():
            samples = self.sample(positives, generator)
        return GeneratedNegatives(
            positives,
            dict(zip(self.view_names, samples, strict=True)),
            dict(zip(self.view_names, positives.present(self.view_names), strict=True)),
        )
