"""Features without their content, to ask what the content is worth to a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.chosen_modalities import chosen_modalities
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.randomness import derive_seed
from dhns.ranges import Seed

Control = Literal["shuffled", "random"]


@dataclass(frozen=True)
class FeatureControl:
    """Puts features without meaning in the place of those of a graph; who has which modality stays as it is.

    What is drawn depends on the graph and on what is said here, never on the model or on the seed of its training, so
    that all runs of one setting share it.

    Attributes:
        kind: ``shuffled`` permutes the rows among the entities that have the modality: the same vectors, each of some
            entity or other. ``random`` draws rows from a normal distribution that has the mean and the variance of
            every dimension, and no correlation: neither the vectors nor what lies near what is left.
        seed: of the draw, another one for each modality.
        modalities: names; all of the graph's when null.
    """

    kind: Control
    seed: Seed = 0
    modalities: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Control):
            raise InputError(f"features.kind is '{self.kind}'; expected {' or '.join(get_args(Control))}")

    def apply(self, graph: KnowledgeGraph) -> KnowledgeGraph:
        """The graph with other features; ``graph`` is left as it is.

        Raises:
            InputError: the graph lacks a modality of ``modalities``, or has none at all; or the features of one should
                be there and are not.
        """
        choice = f"features={self.kind}"
        lacking = f"{choice} replaces features, and {graph.name} has none"
        names = chosen_modalities(graph, self.modalities, choice, lacking, f"{choice} is to replace")
        replaced = {name: self._replaced(name, graph.modalities[name]) for name in names}
        done = "permuted among" if self.kind == "shuffled" else "replaced by noise for"
        notes = [
            f"{name} features {done} the {int(modality.present.sum())} entities that have them (seed {self.seed})"
            for name, modality in replaced.items()
        ]
        return replace(graph, modalities={**graph.modalities, **replaced}, notes=(*graph.notes, *notes))

    def _replaced(self, name: str, modality: Modality) -> Modality:
        # NumPy, whose streams are the same on every platform and in every version
        generator = np.random.default_rng(derive_seed(self.seed, f"{self.kind} {name}"))
        rows = modality.features[modality.present]
        draw = _permuted if self.kind == "shuffled" else _noise
        features = torch.zeros_like(modality.features)
        features[modality.present] = draw(rows, generator)
        return Modality(features, modality.present)


def _permuted(rows: Tensor, generator: np.random.Generator) -> Tensor:
    return rows[torch.from_numpy(generator.permutation(len(rows)))]


def _noise(rows: Tensor, generator: np.random.Generator) -> Tensor:
    """Of the moments of ``rows (entities, dim)``, and their type."""
    # in NumPy, which adds row by row: torch adds in an order that depends on threads, and features have a fingerprint
    exact, drawn, range_ = rows.double().numpy(), generator.standard_normal(rows.shape), torch.finfo(rows.dtype)
    noise = exact.mean(0) + exact.std(0) * drawn if len(rows) else drawn
    return torch.from_numpy(noise.clip(range_.min, range_.max)).to(rows.dtype)
