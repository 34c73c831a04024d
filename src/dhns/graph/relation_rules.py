"""Relations that repeat, imply or reverse each other: why a held-out triple can be read off train."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
        support = _support(train, graph, reverse)
        confidence = support.double() / total.clamp(min=1)[:, None]
        holds = (support >= min_support) & (confidence >= min_confidence)
        if not reverse:
            holds.fill_diagonal_(False)
        for premise, conclusion in holds.nonzero().tolist():
            kind: Literal["duplicate", "implied", "inverse", "symmetric"]
            if reverse:
                kind = "symmetric" if premise == conclusion else "inverse"
            else:
                kind = "duplicate" if holds[conclusion, premise] else "implied"
            numbers = int(support[premise, conclusion]), float(confidence[premise, conclusion])
            rules.append(RelationRule(kind, labels[premise], labels[conclusion], *numbers))
    return sorted(rules, key=lambda rule: (-rule.support, rule.premise, rule.conclusion))


def _support(train: Tensor, graph: KnowledgeGraph, reverse: bool) -> Tensor:
    """``(R, R)``: triples of the row's relation whose pair, or reversed pair, the column's relation also links."""
    premise, conclusion = join(pair_keys(train, graph), pair_keys(train, graph, reverse=reverse))
    size = graph.num_relations
    cells = train[premise, 1] * size + train[conclusion, 1]
    return torch.bincount(cells, minlength=size * size).reshape(size, size)
