"""Modalities removed on purpose, to ask what a model is worth when they are missing."""

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
from dhns.ranges import InnerFraction, Seed

Strategy = Literal["random", "low_degree", "high_degree"]


@dataclass(frozen=True)
class MissingModalities:
    """Takes features away from a share of the entities that have them, each modality on its own.

    The choice depends on the graph and on what is said here, never on the model or on the seed of its training, so that
    all runs of one setting share it; `dhns.graph.fingerprint` puts its hash into their results. A greater share takes
    what a smaller one takes, and more.

    Attributes:
        strategy: who loses first: anyone (``random``), or those of the fewest (``low_degree``) or the most
            (``high_degree``) training triples, equals in random order. A self-loop counts twice.
        share: of the entities that have the modality, to the nearest whole entity.
        seed: of the random order, a different one for each modality.
        modalities: names; all of the graph's when null.
    """

    strategy: Strategy
    share: InnerFraction
    seed: Seed = 0
    modalities: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.strategy not in get_args(Strategy):
            raise InputError(f"missing.strategy is '{self.strategy}'; expected {' or '.join(get_args(Strategy))}")
        if not 0 < self.share < 1:
            raise InputError(
                f"missing.share is {self.share}; expected a share between 0 and 1. missing=none takes nothing away, "
                "and dataset.modalities.NAME=null a whole modality"
            )

    def remove(self, graph: KnowledgeGraph) -> KnowledgeGraph:
        """The graph without the features; ``graph`` is left as it is.

        Args:
            graph: prepared by the protocol, whose training split has the degrees.

        Raises:
            InputError: the graph lacks a modality of ``modalities``, or has none at all; or the features of one should
                be there and are not.
        """
        choice = f"missing={self.strategy}"
        lacking = f"{choice} takes features away, and {graph.name} has no modality to take away"
        names = chosen_modalities(graph, self.modalities, choice, lacking, "missing.modalities names")
        removed = {name: self._removed(graph, name) for name in names}
        left = {name: _without(graph.modalities[name], mask) for name, mask in removed.items()}
        notes = [
            f"{name} features taken from {int(mask.sum())} of the {int(graph.modalities[name].present.sum())} entities "
            f"that had them ({self.strategy}, share {self.share:g}, seed {self.seed})"
            for name, mask in removed.items()
        ]
        return replace(graph, modalities={**graph.modalities, **left}, removed=removed, notes=(*graph.notes, *notes))

    def _removed(self, graph: KnowledgeGraph, name: str) -> Tensor:
        """``(entities,)`` bool mask of those that lose the modality."""
        owners = graph.modalities[name].present.nonzero().flatten().numpy()
        order = np.random.default_rng(derive_seed(self.seed, f"missing {name}")).permutation(owners)
        if self.strategy != "random":
            degree = np.bincount(graph.train[:, [0, 2]].numpy().ravel(), minlength=graph.num_entities)[order]
            order = order[np.argsort(degree if self.strategy == "low_degree" else -degree, kind="stable")]
        mask = torch.zeros(graph.num_entities, dtype=torch.bool)
        mask[torch.from_numpy(order[: round(self.share * len(order))])] = True
        return mask


def _without(modality: Modality, removed: Tensor) -> Modality:
    return Modality(modality.features.masked_fill(removed[:, None], 0), modality.present & ~removed)
