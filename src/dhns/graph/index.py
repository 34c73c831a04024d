"""Known answers of link-prediction queries, as one sparse table that samplers and the ranker share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dhns.graph.queries import Queries


class KnownAnswers(nn.Module):
    """For each query the sorted entities that complete a known triple.

    The answers of all queries lie in one array, addressed by sorted query keys (compressed sparse rows), so that a
    batch of look-ups is two binary searches and no Python loop. Memory: 32 bytes per distinct triple and side.

    Args:
        triples: ``(n, 3)`` int64 rows ``(head, relation, tail)``; duplicates count once.
    """

    keys: Tensor
    offsets: Tensor
    answers: Tensor
    gaps: Tensor

    def __init__(self, triples: Tensor, num_entities: int, num_relations: int) -> None:
        super().__init__()
        self.num_entities = num_entities
        self.num_relations = num_relations
        queries, answer = Queries.both_sides(triples)
        pairs = torch.unique(queries.key(num_entities, num_relations) * num_entities + answer)
        keys, counts = torch.unique_consecutive(pairs // num_entities, return_counts=True)
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        answers = pairs % num_entities
        row = torch.arange(len(keys), device=triples.device).repeat_interleave(counts)
        position = torch.arange(len(pairs), device=triples.device) - offsets[row]
        for name, value in {
            "keys": keys,
            "offsets": offsets,
            "answers": answers,
            # answers minus their position in the row: how many unknown entities lie below each answer
            "gaps": row * num_entities + answers - position,
        }.items():
            self.register_buffer(name, value, persistent=False)

    def rows(self, queries: Queries) -> tuple[Tensor, Tensor, Tensor]:
        """Row, start and length in ``answers`` of each query, all ``(batch,)``; length 0 where nothing is known."""
        if len(self.keys) == 0:
            zero = torch.zeros_like(queries.entity)
            return zero, zero, zero
        key = queries.key(self.num_entities, self.num_relations)
        row = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        length = torch.where(self.keys[row] == key, self.offsets[row + 1] - self.offsets[row], 0)
        return row, self.offsets[row], length

    def lookup(self, queries: Queries) -> tuple[Tensor, Tensor]:
        """All known answers of a batch of queries.

        Returns:
            ``(known,)`` index of the query in the batch and ``(known,)`` entity id, query by query, ids ascending.
        """
        _, start, length = self.rows(queries)
        query = torch.arange(len(length), device=length.device).repeat_interleave(length)
        first = length.cumsum(0) - length
        position = torch.arange(len(query), device=query.device) - first[query]
        return query, self.answers[start[query] + position]

    def holds(self, triples: Tensor) -> Tensor:
        """``(n,)`` bool: which of triples ``(n, 3)`` are known."""
        tails = torch.zeros_like(triples[:, 0], dtype=torch.bool)
        query, answer = self.lookup(Queries.of(triples, tails))
        held = torch.zeros(len(triples), dtype=torch.bool, device=triples.device)
        held[query[answer == triples[query, 2]]] = True
        return held

    def among(self, queries: Queries, candidates: Tensor) -> Tensor:
        """``(batch, N)`` bool: which of the ``candidates`` ``(N,)`` are known answers of each query."""
        query, answer = self.lookup(queries)
        distinct, column = torch.unique(candidates, return_inverse=True)
        place = torch.searchsorted(distinct, answer).clamp(max=len(distinct) - 1)
        found = distinct[place] == answer
        known = torch.zeros(len(queries.entity), len(distinct), dtype=torch.bool, device=candidates.device)
        known[query[found], place[found]] = True
        return known[:, column]

    def sample_unknown(self, queries: Queries, count: int, rng: torch.Generator | None = None) -> Tensor:
        """Entities drawn uniformly, with replacement, from those that are *not* known answers: ``(batch, count)``.

        Exact and without rejection: a uniform rank among the unknown entities is shifted by the number of known answers
        below it. A query that every entity answers falls back to all entities, as nothing unknown exists.
        """
        row, _, length = self.rows(queries)
        length = torch.where(length < self.num_entities, length, 0)
        draw = torch.rand(len(row), count, generator=rng, device=row.device, dtype=torch.float64)
        rank = (draw * (self.num_entities - length)[:, None]).long()
        if len(self.keys) == 0:
            return rank
        base = (row * self.num_entities)[:, None]
        below = torch.searchsorted(self.gaps, (base + rank).contiguous(), right=True) - self.offsets[row][:, None]
        return rank + torch.where(length[:, None] > 0, below, 0)
