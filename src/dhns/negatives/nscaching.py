"""NSCaching: a cache of hard negatives per query (Zhang et al., ICDE 2019, arXiv 1812.06410)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives
from dhns.models.current_scores import current_scores
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.progress import progress
from dhns.ranges import Count

ROWS = 2**16
"""Queries whose caches are filled at once, which bounds what the filling needs beside the cache itself."""


class NSCaching(BernoulliSampler):
    """Draws negatives from a cache of entities that the model scores highly, one cache per query.

    In each step negatives are drawn uniformly from the caches of the
    batch's queries. Then those caches are refreshed: N1 entities are kept out of the N1 cached and N2 fresh random
    ones, by importance sampling without replacement in proportion to ``exp(score)`` (the paper's Algorithm 3), which is
    the same as taking the N1 largest ``score + Gumbel noise``.

    Departures: a positive refreshes the cache of the side that it is corrupted on, where the paper refreshes both;
    a laziness of n refreshes in every n-th step, so that a cache is refreshed in one of n epochs on average, where the
    paper skips whole epochs; known answers never enter, where the paper tolerates them; an entity counts once in the
    union, and if fewer than N1 distinct ones are left, copies of the higher scored ones fill the cache.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive, drawn with replacement; 1 in the paper.
        cache_size: N1, entities in a cache. A checkpoint holds all caches: 4 N1 bytes per distinct query.
        fresh: N2, random entities that a refresh adds to the choice.
        refresh_every: steps from one refresh to the next; 1 is not lazy.
        filtered: never cache a known training answer.

    Raises:
        InputError: a number is below 1.
    """

    cache: Tensor

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 16,
        cache_size: Count = 30,
        fresh: Count = 30,
        refresh_every: Count = 1,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        for name, value in {"cache_size": cache_size, "fresh": fresh, "refresh_every": refresh_every}.items():
            if value < 1:
                raise InputError(f"negatives.{name} is {value}; expected at least 1")
        self.cache_size = cache_size
        self.fresh = fresh
        self.refresh_every = refresh_every
        self.answers = self.known or KnownAnswers(graph.train, graph.num_entities, graph.num_relations)
        self.register_buffer("cache", self._random_cache(graph.train))

    def _random_cache(self, train: Tensor) -> Tensor:
        """``(queries, N1)`` int32 entities from the global generator, in the order of the rows of `answers`."""
        queries, _ = Queries.both_sides(train)
        row, first = _one_of_each(self._rows(queries))
        cache = torch.empty(len(row), self.cache_size, dtype=torch.int32, device=train.device)
        with progress("Filling caches", len(row)) as advance:
            for chunk in torch.split(torch.arange(len(row), device=train.device), ROWS):
                drawn = self.draw(queries.rows(first[chunk]), self.cache_size, torch.default_generator)
                cache[row[chunk]] = drawn.int()
                advance(len(chunk))
        return cache

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        rows = self._rows(queries)
        place = torch.randint(self.cache_size, (len(triples), self.num_negatives), generator=rng, device=triples.device)
        entity = self.cache[rows[:, None], place].long()
        if step % self.refresh_every == 0:
            self.refresh(queries, rng, model)
        return Negatives(queries, entity)

    def refresh(self, queries: Queries, rng: torch.Generator, model: KGEModel) -> None:
        """Renew the caches of a batch of queries, each distinct one once."""
        row, first = _one_of_each(self._rows(queries))
        queries = queries.rows(first)
        fresh = self.draw(queries, self.fresh, rng)
        pool = torch.cat([self.cache[row].long(), fresh], dim=1).sort(dim=1).values
        score = current_scores(model, queries, pool)
        self.cache[row] = keep(pool, score, self.cache_size, rng).int()

    def _rows(self, queries: Queries) -> Tensor:
        """``(B,)`` rows of the cache.

        Raises:
            InputError: a query is not one of the training triples.
        """
        row, _, length = self.answers.rows(queries)
        if (length == 0).any():
            raise InputError("NSCaching has caches for the queries of training triples only; use another sampler here")
        return row


def keep(pool: Tensor, score: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """``(Q, count)`` distinct entities out of ``pool``, drawn without replacement in proportion to ``exp(score)``.

    Args:
        pool: ``(Q, P)`` entities, ascending in each row; copies of an entity are taken last, if at all.
        score: ``(Q, P)``.
        count: at most P.
        rng: of the Gumbel noise.
    """
    tiny = torch.finfo(score.dtype).tiny
    key = score - torch.empty_like(score).exponential_(generator=rng).clamp(min=tiny).log()
    copy = torch.zeros_like(pool, dtype=torch.bool)
    copy[:, 1:] = pool[:, 1:] == pool[:, :-1]
    span = key.amax(1, keepdim=True) - key.amin(1, keepdim=True) + 1
    return pool.gather(1, torch.where(copy, key - span, key).topk(count).indices)


def _one_of_each(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct values of ``rows`` ``(B,)``, ascending, and the first position of each."""
    distinct, group = torch.unique(rows, return_inverse=True)
    position = torch.arange(len(rows), device=rows.device)
    return distinct, torch.full_like(distinct, len(rows)).scatter_reduce(0, group, position, "amin")
