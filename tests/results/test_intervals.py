"""Intervals and tests of clustered queries, against plain loops, enumeration, and simulations of what they promise."""

import itertools
import math

import numpy as np
import pytest

from dhns.results import intervals
from dhns.results.intervals import bootstrap_means, holm, percentile_interval, sign_flip_test

ALPHA = 0.05
PAIRS = 2000


@pytest.fixture
def random():
    return np.random.default_rng(7)


@pytest.fixture
def cluster(random):
    """Of 300 queries, the entity: some 70, of which one has a tenth of the queries, as hubs have."""
    return np.unique(random.integers(0, 80, 300) ** 2 // 80, return_inverse=True)[1]


def reciprocal_ranks(random, cluster, systems):
    """``(systems, queries)``: some entities are hard for all, and a system is good or bad at an entity as a whole."""
    hard = random.normal(size=cluster.max() + 1)[cluster]
    taste = random.normal(size=(systems, cluster.max() + 1))[:, cluster]
    ranks = np.exp(1.5 + hard + taste + 0.5 * random.normal(size=(systems, len(cluster))))
    return 1 / np.maximum(1, np.round(ranks))


def many(random, cluster):
    """``(PAIRS, queries)`` of as many systems, each with entities of its own."""
    return np.concatenate([reciprocal_ranks(random, cluster, 1) for _ in range(PAIRS)])


def binomial_bounds(trials, share, outside=1e-4):
    """Counts that a binomial variable leaves, on either side, in one of 10,000 cases."""
    counts = range(trials + 1)
    logs = [math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1) for k in counts]
    mass = np.exp([log + k * math.log(share) + (trials - k) * math.log1p(-share) for k, log in enumerate(logs)])
    low, high = np.searchsorted(np.cumsum(mass), [outside, 1 - outside])
    return low, high


def alone(cluster):
    """Every query a cluster of its own."""
    return np.arange(len(cluster))


def all_of(cluster):
    return np.zeros_like(cluster)


# --- the bootstrap -------------------------------------------------------------------------------------------------


def test_resamples_are_those_of_plain_loops(random, cluster):
    values, group = random.random((2, len(cluster))), random.integers(0, 3, len(cluster))
    found = bootstrap_means(values, cluster, group, resamples=20, seed=5)
    count = cluster.max() + 1
    for resample, drawn in enumerate(np.random.default_rng(5).integers(0, count, (20, count))):
        queries = [query for number in drawn for query in np.flatnonzero(cluster == number)]
        for system, number in itertools.product(range(2), range(3)):
            of_group = [values[system, query] for query in queries if group[query] == number]
            assert found[resample, system, number] == pytest.approx(sum(of_group) / len(of_group))


def test_deviation_and_interval_are_those_of_another_bootstrap_and_of_the_formula(random, cluster):
    values = reciprocal_ranks(random, cluster, 1)
    found = bootstrap_means(values, cluster, all_of(cluster), resamples=10_000)[:, 0, 0]
    count, means = cluster.max() + 1, []
    for _ in range(10_000):
        times = random.multinomial(count, np.full(count, 1 / count))[cluster]
        means.append((times * values[0]).sum() / times.sum())
    # Taylor's linearization of a sum over a count
    formula = math.sqrt((np.bincount(cluster, values[0] - values.mean()) ** 2).sum()) / len(cluster)
    assert np.std(found) == pytest.approx(np.std(means), rel=0.04)
    assert np.std(found) == pytest.approx(formula, rel=0.1)
    np.testing.assert_allclose(percentile_interval(found, 0.9), np.quantile(means, [0.05, 0.95]), atol=0.15 * formula)


def test_blocks_change_no_draw(random, cluster, monkeypatch):
    values = random.random((2, len(cluster)))
    once = bootstrap_means(values, cluster, all_of(cluster), resamples=50)
    monkeypatch.setattr(intervals, "_CELLS", 7 * (cluster.max() + 1))
    np.testing.assert_allclose(bootstrap_means(values, cluster, all_of(cluster), resamples=50), once, rtol=1e-12)


def test_a_group_that_is_not_drawn_has_no_mean():
    found = bootstrap_means(np.ones((1, 3)), np.arange(3), np.array([0, 0, 1]), resamples=200)
    assert np.isnan(found[:, 0, 1]).any()
    assert percentile_interval(found, 0.9).tolist() == [[[1, 1]], [[1, 1]]]


def test_intervals_hold_the_mean_as_often_as_they_say(random, cluster):
    """Of 2000 systems; the mean is that over all the entities that there could be."""
    mean = reciprocal_ranks(random, np.arange(400_000), 1).mean()
    values = many(random, cluster)

    def coverage(drawn):
        low, high = percentile_interval(bootstrap_means(values, drawn, all_of(cluster), resamples=500), 1 - ALPHA)
        return ((low < mean) & (mean < high)).mean()

    assert 0.92 < coverage(cluster) < 0.96, "70 entities are few: a little is lost"
    assert coverage(alone(cluster)) < 0.8, "queries that are drawn one by one promise too much"


# --- the test ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [100, intervals._CELLS])
def test_p_is_the_share_of_signs_that_reach_as_far(random, monkeypatch, cells):
    monkeypatch.setattr(intervals, "_CELLS", cells)
    cluster = np.repeat(np.arange(9), [1, 1, 2, 3, 1, 4, 2, 1, 5])
    differences = random.normal(0.3, 1, size=(3, len(cluster)))
    sums = [[row[cluster == number].sum() for number in range(9)] for row in differences]
    flips = 40_000
    for found, row in zip(sign_flip_test(differences, cluster, flips=flips), sums, strict=True):
        signed = [abs(np.dot(signs, row)) for signs in itertools.product((-1, 1), repeat=9)]
        exact = np.mean([value >= abs(sum(row)) - 1e-12 for value in signed])
        assert found == pytest.approx(exact, abs=4 * math.sqrt(exact / flips))


def test_no_difference_is_none():
    assert sign_flip_test(np.zeros((1, 4)), np.array([0, 0, 1, 2]), flips=99).tolist() == [1]
    even = np.array([[0.1, 0.2, -0.3, 0.0]])
    assert sign_flip_test(even, np.array([0, 1, 2, 2]), flips=99).tolist() == [1]


def test_false_positives_come_at_the_nominal_rate(random, cluster):
    pairs = [reciprocal_ranks(random, cluster, 2) for _ in range(PAIRS)]
    differences = np.stack([first - second for first, second in pairs])
    low, high = binomial_bounds(PAIRS, ALPHA)
    found = (sign_flip_test(differences, cluster, flips=999) <= ALPHA).sum()
    assert low <= found <= high
    naive = (sign_flip_test(differences, alone(cluster), flips=999) <= ALPHA).sum()
    assert naive > 2 * high, "queries of an entity taken for independent: three times as many mistakes"


def test_false_positives_stay_rare_where_systems_differ_in_all_but_the_mean(random):
    """One gains a little at most entities and loses much at a few: signs are then no exact symmetry."""
    cluster = np.repeat(np.arange(100), 3)
    skewed = 1 - random.exponential(size=(PAIRS, 100))
    differences = skewed[:, cluster] + 0.3 * random.normal(size=(PAIRS, 300))
    assert (sign_flip_test(differences, cluster, flips=999) <= ALPHA).mean() < 1.4 * ALPHA


def test_a_real_difference_is_found(random, cluster):
    """Ranks are half as large again: nearly the deviation of the mean reciprocal rank, which pairs share or do not."""
    pairs = [reciprocal_ranks(random, cluster, 2) for _ in range(300)]
    luck_of_its_own = np.stack([first - second / 1.5 for first, second in pairs])
    shared_luck = np.stack([first - np.minimum(1, first / 1.5 * random.lognormal(0, 1, 300)) for first, _ in pairs])
    assert (sign_flip_test(luck_of_its_own, cluster, flips=499) <= ALPHA).mean() > 0.6
    assert (sign_flip_test(shared_luck, cluster, flips=499) <= ALPHA).mean() > 0.95


# --- the correction ------------------------------------------------------------------------------------------------


def test_holm_by_hand():
    # 0.01 * 4; 0.02 * 3; 0.03 * 2 as much; 0.5 * 1
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([[0.6, 0.4], [0.9, 0.04]]) == pytest.approx(np.array([[1, 1], [1, 0.16]]))
    assert holm([0.7]).tolist() == [0.7]
    assert holm([]).tolist() == []


def test_tables_without_a_difference_rarely_claim_one(random, cluster):
    """Five systems and the one that they are compared with, all alike: the differences share its luck."""
    tables = 600
    claims = 0
    for _ in range(tables):
        values = reciprocal_ranks(random, cluster, 6)
        claims += holm(sign_flip_test(values[1:] - values[0], cluster, flips=499)).min() <= ALPHA
    assert claims <= binomial_bounds(tables, ALPHA)[1]
    assert claims > 0
