"""What caches hold, when they change, and what is drawn from them."""

import itertools
import math

import pytest
import torch
from torch import nn

from dhns.errors import InputError
from dhns.graph.queries import Queries
from dhns.negatives.nscaching import NSCaching, keep
from dhns.randomness import stream


class Fixed(nn.Module):
    """Scores an entity by a table, whatever the query."""

    def __init__(self, scores):
        super().__init__()
        self.scores = torch.tensor(scores, dtype=torch.float32)

    def score_candidates(self, queries, candidates):
        return self.scores[candidates]


FLAT = Fixed([0.0] * 12)


@pytest.fixture
def sampler(toy_graph):
    torch.manual_seed(0)
    return NSCaching(toy_graph, num_negatives=5, cache_size=4, fresh=3)


def queries(graph):
    """Known answers by query, and a triple of each."""
    known, example = {}, {}
    for h, r, t in graph.train.tolist():
        for query, answer in (((h, r, False), t), ((t, r, True), h)):
            known.setdefault(query, set()).add(answer)
            example[query] = (h, r, t)
    return known, example


def row_of(sampler, query):
    return sampler.answers.rows(Queries(*(torch.tensor([part]) for part in query)))[0].item()


def subset_probability(weights, subset):
    """Of drawing ``subset`` one after the other, each in proportion to its weight among those that are left."""
    total = 0.0
    for order in itertools.permutations(subset):
        left, chance = sum(weights), 1.0
        for index in order:
            chance *= weights[index] / left
            left -= weights[index]
        total += chance
    return total


@pytest.mark.parametrize("count", [1, 2, 3])
def test_entities_are_kept_by_importance_without_replacement(count):
    weights, draws = [1.0, 2.0, 4.0, 0.5], 40_000
    score = torch.tensor(weights).log().expand(draws, 4)
    pool = torch.tensor([3, 5, 8, 9]).expand(draws, 4)
    kept = keep(pool, score, count, stream(0, "test")).sort(1).values
    found = {tuple(row): 0 for row in itertools.combinations([3, 5, 8, 9], count)}
    for row, times in zip(*(part.tolist() for part in kept.unique(dim=0, return_counts=True)), strict=True):
        found[tuple(row)] = times
    for subset in itertools.combinations(range(4), count):
        p = subset_probability(weights, subset)
        times = found[tuple([3, 5, 8, 9][index] for index in subset)]
        assert abs(times / draws - p) < 5 * math.sqrt(p * (1 - p) / draws)


def test_copies_count_once_and_come_last():
    pool = torch.tensor([[1, 1, 1, 2, 3, 3]]).expand(500, 6)
    score = torch.tensor([[0.0, 0.0, 0.0, -30.0, 0.0, 0.0]]).expand(500, 6)
    assert (keep(pool, score, 3, stream(0, "test")).sort(1).values == torch.tensor([1, 2, 3])).all()
    kept = keep(pool, score, 4, stream(0, "test"))
    assert (kept[:, :3].sort(1).values == torch.tensor([1, 2, 3])).all()
    assert set(kept[:, 3].tolist()) == {1, 3}
    # two copies of 1 and one of 3 are left over, equally likely
    assert abs((kept[:, 3] == 1).double().mean() - 2 / 3) < 5 * math.sqrt(2 / 9 / 500)


def test_a_cache_per_distinct_query_starts_with_random_non_answers(toy_graph, sampler):
    known, _ = queries(toy_graph)
    assert sampler.cache.shape == (len(known), 4)
    assert len({row_of(sampler, query) for query in known}) == len(known)
    for query, answers in known.items():
        assert not set(sampler.cache[row_of(sampler, query)].tolist()) & answers
    large = NSCaching(toy_graph, cache_size=300)
    for query, answers in known.items():
        assert set(large.cache[row_of(large, query)].tolist()) == set(range(12)) - answers


def test_caches_follow_the_seed(toy_graph):
    caches = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        caches.append(NSCaching(toy_graph).cache)
    assert torch.equal(caches[0], caches[1])
    assert not torch.equal(caches[0], caches[2])


def test_negatives_are_uniform_over_the_cache_as_it_was(toy_graph, sampler):
    known, example = queries(toy_graph)
    for query in known:
        # distinct for every query, so that nobody else's cache can be drawn from
        sampler.cache[row_of(sampler, query)] = 100 * row_of(sampler, query) + torch.arange(4, dtype=torch.int32)
    sampler.refresh_every = 2
    sampler.num_negatives = 8000
    triples = torch.tensor([example[query] for query in known])
    negatives = sampler(triples, 1, stream(0, "test"), FLAT)
    for (h, r, t), head_side, entity in zip(
        triples.tolist(), negatives.head_side.tolist(), negatives.entity, strict=True
    ):
        row = row_of(sampler, (t, r, True) if head_side else (h, r, False))
        shares = torch.bincount(entity - 100 * row, minlength=4) / 8000
        assert len(shares) == 4
        assert all(abs(share - 1 / 4) < 5 * math.sqrt(3 / 16 / 8000) for share in shares.tolist())


def test_a_refresh_comes_after_the_draw(sampler, toy_graph):
    before = sampler.cache.clone()
    favourite = Fixed([50.0 if entity == 11 else 0.0 for entity in range(12)])
    triples = toy_graph.train[:1].expand(400, 3)
    negatives = sampler(triples, 0, stream(0, "test"), favourite)
    h, r, t = toy_graph.train[0].tolist()
    for head_side, entities in zip(negatives.head_side.tolist(), negatives.entity.tolist(), strict=True):
        row = row_of(sampler, (t, r, True) if head_side else (h, r, False))
        assert set(entities) <= set(before[row].tolist())
    assert not torch.equal(sampler.cache, before)


def test_a_refresh_touches_the_queries_of_the_batch_only(toy_graph, sampler):
    triples, head_side = toy_graph.train[[0, 5, 14]], torch.tensor([False, True, False])
    touched = {
        row_of(sampler, (t, r, True) if side else (h, r, False))
        for (h, r, t), side in zip(triples.tolist(), head_side.tolist(), strict=True)
    }
    before = sampler.cache.clone()
    for step in range(10):
        sampler.refresh(Queries.of(triples, head_side), stream(0, "test", step), FLAT)
    changed = (sampler.cache != before).any(1).nonzero().flatten().tolist()
    assert set(changed) == touched


def test_a_lazy_sampler_refreshes_in_every_nth_step(toy_graph):
    sampler = NSCaching(toy_graph, num_negatives=2, cache_size=4, fresh=4, refresh_every=3)
    changed = []
    for step in range(7):
        before = sampler.cache.clone()
        sampler(toy_graph.train, step, stream(0, "test", step), FLAT)
        changed.append(not torch.equal(sampler.cache, before))
    assert changed == [True, False, False, True, False, False, True]


def test_queries_that_a_batch_repeats_are_refreshed_once(toy_graph, sampler):
    # 2, 4 and 6 are of kind 0: one query for the head, three positives
    kinds = torch.tensor([[2, 2, 0], [4, 2, 0], [6, 2, 0]])
    start = sampler.cache.clone()
    results = []
    for triples in (kinds[:1], kinds, kinds[[2, 1, 0, 0, 1]]):
        sampler.cache.copy_(start)
        heads = Queries.of(triples, torch.ones(len(triples), dtype=torch.bool))
        sampler.refresh(heads, stream(0, "test"), FLAT)
        results.append(sampler.cache.clone())
    assert not torch.equal(results[0], start)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_caches_fill_with_the_highest_scored_that_are_no_answers(toy_graph, sampler):
    model = Fixed([40.0 * entity for entity in range(12)])
    known, _ = queries(toy_graph)
    for step in range(60):
        for head_side in (False, True):
            side = torch.full((len(toy_graph.train),), head_side)
            sampler.refresh(Queries.of(toy_graph.train, side), stream(0, "test", step, int(head_side)), model)
    for query, answers in known.items():
        best = sorted(set(range(12)) - answers)[-4:]
        assert sorted(sampler.cache[row_of(sampler, query)].tolist()) == best


def test_unfiltered_caches_may_hold_answers(toy_graph):
    sampler = NSCaching(toy_graph, cache_size=300, filtered=False)
    known, _ = queries(toy_graph)
    assert sampler.cache.shape == (len(known), 300)
    assert all(set(row) == set(range(12)) for row in sampler.cache.tolist())


def test_the_caches_are_the_state(toy_graph, sampler):
    sampler(toy_graph.train, 0, stream(0, "test"), FLAT)
    assert set(sampler.state_dict()) == {"cache"}
    other = NSCaching(toy_graph, num_negatives=5, cache_size=4, fresh=3)
    other.load_state_dict(sampler.state_dict())
    for step in (1, 2):
        first, second = (s(toy_graph.train, step, stream(0, "test", step), FLAT) for s in (sampler, other))
        assert torch.equal(first.entity, second.entity)
    assert torch.equal(sampler.cache, other.cache)


def test_queries_without_a_cache_are_refused(sampler):
    with pytest.raises(InputError, match="training triples only"):
        sampler(torch.tensor([[0, 2, 5]]), 0, stream(0, "test"), FLAT)


@pytest.mark.parametrize("name", ["cache_size", "fresh", "refresh_every", "num_negatives"])
def test_numbers_below_one_are_refused(toy_graph, name):
    with pytest.raises(InputError, match=f"negatives.{name} is 0"):
        NSCaching(toy_graph, **{name: 0})
