"""Relations that repeat, imply or reverse each other: why a held-out triple can be read off train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.triple_sets import distinct, join, pair_keys


@dataclass(frozen=True)
class RelationRule:
    """A rule ``premise(x, y) => conclusion(x, y)``, or ``conclusion(y, x)`` if ``inverse`` or ``symmetric``.

    Attributes:
        kind: ``duplicate`` (implied both ways), ``implied``, ``inverse``, or ``symmetric`` (its own inverse).
        premise, conclusion: labels of relations.
        support: training triples of the premise for which train also has the conclusion.
        confidence: their share of the training triples of the premise; self-loops count as neither.
    """

    kind: Literal["duplicate", "implied", "inverse", "symmetric"]
    premise: str
    conclusion: str
    support: int
    confidence: float

    def rows(self) -> list[tuple[str, str]]:
        """Lines of a table."""
        words = self.premise if self.kind == "symmetric" else f"{self.premise} => {self.conclusion}"
        return [(f"{self.kind} in train", f"{words} ({self.support:,} triples, {self.confidence:.0%})")]


def mine_rules(graph: KnowledgeGraph, min_confidence: float = 0.8, min_support: int = 10) -> list[RelationRule]:
    """The rules between two relations that hold in train, by descending support."""
    train = distinct(graph.train)
    train = train[train[:, 0] != train[:, 2]]  # a self-loop reverses itself, which says nothing about its relation
    total = torch.bincount(train[:, 1], minlength=graph.num_relations)
    labels = graph.relations.labels
    rules = []
    for reverse in (False, True):
        cells, support = _support(train, graph, reverse)
        premise, conclusion = cells // graph.num_relations, cells % graph.num_relations
        confidence = support.double() / total[premise]
        holds = (support >= min_support) & (confidence >= min_confidence)
        if not reverse:
            holds &= premise != conclusion
        found = [column[holds].tolist() for column in (premise, conclusion, support, confidence)]
        both_ways = set(zip(found[1], found[0], strict=True))
        for one, other, count, share in zip(*found, strict=True):
            kind: Literal["duplicate", "implied", "inverse", "symmetric"]
            if reverse:
                kind = "symmetric" if one == other else "inverse"
            else:
                kind = "duplicate" if (one, other) in both_ways else "implied"
            rules.append(RelationRule(kind, labels[one], labels[other], count, share))
    return sorted(rules, key=lambda rule: (-rule.support, rule.premise, rule.conclusion))


def _support(train: Tensor, graph: KnowledgeGraph, reverse: bool) -> tuple[Tensor, Tensor]:
    """Which relations link the pairs, or reversed pairs, of which.

    Returns:
        ``(n,)`` ids ``premise * R + conclusion``, ascending, and ``(n,)`` how many triples of the premise have a pair
        that the conclusion links too. Nothing of size R x R: graphs have relations by the ten thousand.
    """
    premise, conclusion = join(pair_keys(train, graph), pair_keys(train, graph, reverse=reverse))
    cells = train[premise, 1] * graph.num_relations + train[conclusion, 1]
    cell, support = np.unique(cells.numpy(), return_counts=True)
    return torch.from_numpy(cell), torch.from_numpy(support)
