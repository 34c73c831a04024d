"""Entities held out whole, to see what a model makes of ones that it was not trained with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Modality, Vocabulary


@dataclass(frozen=True)
class HeldOut:
    """A graph without some entities, and what was taken away.

    Attributes:
        graph: without them, and without the triples that have one.
        keys, labels: of the entities.
        features: by modality and key, for those that have some.
        triples: ``(n, 3)`` that have one of them and one that stayed; ids are those of the graph with the entities
            appended in the order of ``keys``.
    """

    graph: KnowledgeGraph
    keys: tuple[str, ...]
    labels: dict[str, str]
    features: dict[str, dict[str, Tensor]]
    triples: Tensor


def hold_out_entities(graph: KnowledgeGraph, share: float, seed: int = 0) -> HeldOut:
    """Take entities out of a graph, with all their triples in every split.

    Args:
        graph: prepared by a protocol.
        share: of its entities, between 0 and 1.
        seed: of the choice.

    Raises:
        InputError: no entity would be taken, or none would stay.
    """
    count = round(share * graph.num_entities)
    if not 0 < count < graph.num_entities:
        raise InputError(f"a share of {share} is {count} of {graph.num_entities} entities; take some and leave some")
    order = torch.randperm(graph.num_entities, generator=torch.Generator().manual_seed(seed))
    gone, kept = order[:count].sort().values, order[count:].sort().values
    number = torch.empty(graph.num_entities, dtype=torch.int64)
    number[torch.cat([kept, gone])] = torch.arange(graph.num_entities)

    def without(rows: Tensor) -> Tensor:
        renumbered = _renumbered(rows, number)
        return renumbered[(renumbered[:, [0, 2]] < len(kept)).all(1)]

    names = graph.entities
    modalities = {n: Modality(one.features[kept], one.present[kept]) for n, one in graph.modalities.items()}
    rest = replace(
        graph,
        entities=Vocabulary(
            names.kind, *(tuple(part[i] for i in kept.tolist()) for part in (names.keys, names.labels))
        ),
        modalities=modalities,
        filter_only=without(graph.filter_only),
        removed={name: mask[kept] for name, mask in graph.removed.items()},
        train=without(graph.train),
        valid=without(graph.valid),
        test=without(graph.test),
    )
    every = _renumbered(torch.cat([graph.split(split) for split in SPLITS]), number)
    is_new = every[:, [0, 2]] >= len(kept)
    features = {
        name: {names.keys[i]: one.features[i] for i in gone.tolist() if one.present[i]}
        for name, one in graph.modalities.items()
    }
    keys = tuple(names.keys[i] for i in gone.tolist())
    labels = {names.keys[i]: names.labels[i] for i in gone.tolist()}
    return HeldOut(rest, keys, labels, features, torch.unique(every[is_new.sum(1) == 1], dim=0))


def _renumbered(triples: Tensor, number: Tensor) -> Tensor:
    head, relation, tail = triples.unbind(1)
    return torch.stack([number[head], relation, number[tail]], dim=1)
