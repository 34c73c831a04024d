"""Which entities may stand on a side of a relation."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries

Candidates = Literal["seen", "all"]
"""``seen``: entities that stand on that side of the relation in train, a type that needs no schema. ``all``: any."""


class CandidateEntities:
    """The candidates of each relation and side.

    Args:
        graph: whose training triples tell.
        which: see `Candidates`.

    Raises:
        InputError: ``which`` is neither.
    """

    def __init__(self, graph: KnowledgeGraph, which: Candidates) -> None:
        if which not in get_args(Candidates):
            raise InputError(f"candidates is '{which}'; expected {' or '.join(get_args(Candidates))}")
        self._relations = graph.num_relations
        if which == "all":
            self._entities = torch.arange(graph.num_entities)
            self._bounds = torch.tensor([[0, graph.num_entities]]).repeat(2 * self._relations, 1)
            return
        head, relation, tail = graph.train.unbind(1)
        row = torch.cat([relation, relation + self._relations])
        pairs = torch.unique(row * graph.num_entities + torch.cat([tail, head]))
        self._entities = pairs % graph.num_entities
        limits = torch.searchsorted(pairs, torch.arange(2 * self._relations + 1) * graph.num_entities)
        self._bounds = torch.stack([limits[:-1], limits[1:]], dim=1)

    def of(self, relation: int, head_side: bool) -> Tensor:
        """``(n,)`` ids, ascending: heads of the relation where ``head_side``, else tails."""
        start, end = self._bounds[relation + head_side * self._relations].tolist()
        return self._entities[start:end]

    def draw(self, queries: Queries, count: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Candidates of queries on the processor, drawn evenly and with replacement.

        Returns:
            ``(B, count)`` ids, and ``(B,)`` bool: whether the query has candidates, without which ids mean nothing.
        """
        start, end = self._bounds[queries.relation + queries.head_side * self._relations].unbind(1)
        share = torch.rand(len(start), count, generator=rng, dtype=torch.float64)
        place = start[:, None] + (share * (end - start)[:, None]).long()
        return self._entities[place.clamp(max=len(self._entities) - 1)], end > start
