"""Structure-aware negative sampling (SANS; Ahrabian et al., EMNLP 2020, arXiv 2009.11355)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.neighbourhoods import Neighbourhoods
from dhns.ranges import Count


class SANS(BernoulliSampler):
    """Draws negatives from the neighbourhood of the entity that is kept, where they are hard to tell from answers.

    Negatives are uniform, with replacement, over the neighbours that are not known answers of the query: exactly, by
    shifting a uniform rank over the answers below it.

    Departures: at most as many negatives of a positive come from its neighbourhood as that has candidates, so that
    tiny neighbourhoods are not repeated over and over; the others are uniform over all entities. The paper falls back
    only where there is no candidate. Links count in both directions and at distances 1 to k, and random walks leave a
    trace wherever they pass, but no weight of how often; the authors' code follows links from head to tail, and takes
    what exactly k (or k - 1) steps reach. Sides are Bernoulli, as for all samplers here; the paper alternates them.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive.
        hops: k, 2 to 5 in the paper. Few hops on a sparse graph never show the model a distant entity; many on a dense
            one reach nearly all, which is uniform sampling.
        walks: random walks per entity that stand in for the exact neighbourhood (RW-SANS; 1000 to 4000 in the paper);
            null for the exact one.
        filtered: never draw a known training answer.

    Raises:
        InputError: see `Neighbourhoods`.
    """

    gaps: Tensor
    begin: Tensor

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 64,
        hops: Count = 3,
        walks: Count | None = None,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        self.neighbourhoods = Neighbourhoods(graph, hops, walks)
        if self.known is None:
            return
        queries, answer = Queries.both_sides(graph.train)
        row, _, _ = self.known.rows(queries)
        position, near = self.neighbourhoods.find(queries.entity, answer)
        taken = torch.unique((row * self.num_entities + position)[near])
        count = torch.bincount(taken // self.num_entities, minlength=len(self.known.keys))
        begin = torch.cat([count.new_zeros(1), count.cumsum(0)])
        rank = torch.arange(len(taken), device=taken.device) - begin[taken // self.num_entities]
        # per query, how many candidates stand before each answer in the neighbourhood; compare `KnownAnswers.gaps`
        self.register_buffer("gaps", taken - rank, persistent=False)
        self.register_buffer("begin", begin, persistent=False)

    def draw(self, queries: Queries, count: int, rng: torch.Generator) -> Tensor:
        anywhere = super().draw(queries, count, rng)
        size = self.neighbourhoods.size(queries.entity)
        draw = torch.rand(len(size), count, generator=rng, device=size.device, dtype=torch.float64)
        if self.known is None:
            position = (draw * size[:, None]).long()
        else:
            row, _, known = self.known.rows(queries)
            answers = torch.where(known > 0, self.begin[row + 1] - self.begin[row], 0)
            size = size - answers
            rank = (draw * size[:, None]).long()
            below = torch.searchsorted(self.gaps, row[:, None] * self.num_entities + rank, right=True)
            position = rank + torch.where(answers[:, None] > 0, below - self.begin[row][:, None], 0)
        near = self.neighbourhoods.member(queries.entity, position)
        return torch.where(torch.arange(count, device=size.device) < size[:, None], near, anywhere)
