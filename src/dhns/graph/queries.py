"""What link prediction asks: which entities complete a known entity and a relation, on one side."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Queries(NamedTuple):
    """B queries, ``(entity, relation, ?)`` or ``(?, relation, entity)``.

    Attributes:
        entity: ``(B,)`` int64 ids of the known entities.
        relation: ``(B,)`` int64 ids.
        head_side: ``(B,)`` bool, true where the *head* is asked for.
    """

    entity: Tensor
    relation: Tensor
    head_side: Tensor

    @classmethod
    def of(cls, triples: Tensor, head_side: Tensor) -> Queries:
        """Those that triples ``(B, 3)`` answer: with the head where ``head_side`` ``(B,)``, else with the tail."""
        head, relation, tail = triples.unbind(1)
        return cls(torch.where(head_side, tail, head), relation, head_side)

    @classmethod
    def both_sides(cls, triples: Tensor) -> tuple[Queries, Tensor]:
        """Every query ``(2 B,)`` that triples ``(B, 3)`` answer, first those for tails, and its answer ``(2 B,)``."""
        head, relation, tail = triples.unbind(1)
        head_side = torch.arange(2 * len(triples), device=triples.device) >= len(triples)
        return cls(torch.cat([head, tail]), relation.repeat(2), head_side), torch.cat([tail, head])

    def rows(self, index: Tensor) -> Queries:
        """Some of the queries."""
        return Queries(*(part[index] for part in self))

    def key(self, num_entities: int, num_relations: int) -> Tensor:
        """``(B,)`` int64, equal for equal queries only; ascending with side, entity and relation."""
        return (self.head_side.long() * num_entities + self.entity) * num_relations + self.relation

    def distinct(self, num_relations: int) -> tuple[Queries, Tensor]:
        """The Q distinct queries, ascending by entity, relation and side, and ``(B,)`` which of them each query is."""
        number = (self.entity * num_relations + self.relation) * 2 + self.head_side
        found, row = torch.unique(number, return_inverse=True)
        return Queries(found // 2 // num_relations, found // 2 % num_relations, found % 2 == 1), row

    def triples(self, answer: Tensor) -> Tensor:
        """``(B, 3)`` the triples that answers ``(B,)`` make of the queries."""
        head = torch.where(self.head_side, answer, self.entity)
        return torch.stack([head, self.relation, torch.where(self.head_side, self.entity, answer)], dim=1)


def answers(triples: Tensor, head_side: Tensor) -> Tensor:
    """``(B,)`` what triples ``(B, 3)`` answer `Queries.of` the same sides with."""
    return torch.where(head_side, triples[:, 0], triples[:, 2])
