"""Type-constrained negative sampling (Krompass et al., ISWC 2015)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.ranges import Count, Fraction


class TypedSampler(BernoulliSampler):
    """Draws entities that training triples have on the same side of the relation: places for "capital of", not people.

    One that is a known answer gives way to an entity from anywhere that is not. Typed negatives alone would leave
    everything else unranked: a share of them comes from anywhere.

    Args:
        graph: its training triples say who belongs where.
        num_negatives: N, negatives per positive.
        share: of them, those that are typed.
        filtered: never draw a known training answer.
    """

    member: Tensor
    begin: Tensor
    facts: Tensor

    def __init__(
        self, graph: KnowledgeGraph, num_negatives: Count = 64, share: Fraction = 0.5, filtered: bool = True
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        self.typed = round(share * num_negatives)
        self.num_relations = graph.num_relations
        queries, answer = Queries.both_sides(graph.train)
        pairs = torch.unique(self._place(queries) * graph.num_entities + answer)
        size = torch.bincount(pairs // graph.num_entities, minlength=2 * graph.num_relations)
        # made from the graph alone, so not a part of checkpoints
        self.register_buffer("member", pairs % graph.num_entities, persistent=False)
        self.register_buffer("begin", torch.cat([size.new_zeros(1), size.cumsum(0)]), persistent=False)
        self.register_buffer("facts", torch.unique(self._fact(queries, answer)), persistent=False)

    def draw(self, queries: Queries, count: int, rng: torch.Generator) -> Tensor:
        anywhere = super().draw(queries, count, rng)
        place = self._place(queries)
        begin, size = self.begin[place], self.begin[place + 1] - self.begin[place]
        share = torch.rand(anywhere.shape, generator=rng, device=anywhere.device, dtype=torch.float64)
        drawn = self.member[(begin[:, None] + (share * size[:, None]).long()).clamp(max=len(self.member) - 1)]
        refused = (size == 0)[:, None] | (torch.arange(count, device=drawn.device) >= self.typed)
        if self.known is not None:
            refused = refused | torch.isin(self._fact(queries, drawn), self.facts)
        return torch.where(refused, anywhere, drawn)

    def _place(self, queries: Queries) -> Tensor:
        """``(B,)`` the number of the relation and the side that is asked for."""
        return 2 * queries.relation + queries.head_side

    def _fact(self, queries: Queries, answer: Tensor) -> Tensor:
        """A number for each query ``(B,)`` with answers ``(B,)`` or ``(B, N)``."""
        key = queries.key(self.num_entities, self.num_relations)
        return (key if answer.ndim == 1 else key[:, None]) * self.num_entities + answer
