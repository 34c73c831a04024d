"""What is estimated from ranks: metrics, seeds, differences, slices."""

import numpy as np
import pytest

from dhns.errors import InputError
from dhns.results.estimates import paired_differences, per_query, slices
from dhns.results.intervals import bootstrap_means, holm, percentile_interval, sign_flip_test
from dhns.results.ranks import RankedQueries
from results.stored import ranked


@pytest.fixture
def random():
    return np.random.default_rng(3)


@pytest.fixture
def systems(random):
    """Three systems on 240 queries about 40 entities, of 1, 2 and 3 seeds; the last is the best."""
    hard = random.lognormal(1, 1, 240)
    relation = np.repeat([0, 5, 9], [160, 60, 20])

    def run(better):
        ranks = np.maximum(1, np.round(hard * random.lognormal(0, 0.5, 240) / better))
        return ranked(ranks, np.arange(240) % 40, relation, popularity=np.arange(240) // 2)

    return {"plain": [run(1)], "alike": [run(1), run(1)], "good": [run(3), run(3), run(3)]}


def values_of(systems, metric="mrr"):
    return np.stack([np.mean([per_query(run, metric) for run in runs], axis=0) for runs in systems.values()])


def test_metrics_count_ties_as_the_result_does():
    queries = RankedQueries(
        optimistic=np.array([1, 1, 3], np.int32), ties=np.array([0, 3, 0], np.int32), own=np.zeros(3, np.int8),
        head_side=np.zeros(3, bool), relation=np.zeros(3, np.int32), cluster=np.zeros(3, np.int32),
        popularity=np.zeros(3, np.int32),
    )  # fmt: skip
    assert per_query(queries, "mrr") == pytest.approx([1, 1 / 2.5, 1 / 3])
    assert per_query(queries, "hits@1").tolist() == [1, 0, 0]
    assert per_query(queries, "hits@3").tolist() == [1, 1, 1]


def test_all_queries_have_the_interval_of_seeds_averaged_first(systems):
    (everything,) = slices(list(systems.values()), level=0.9)
    cluster = systems["plain"][0].cluster
    values = values_of(systems)
    bounds = percentile_interval(bootstrap_means(values, cluster, np.zeros(240, int)), 0.9)[..., 0]
    assert (everything.name, everything.queries, everything.entities) == ("all", 240, 40)
    for estimate, mean, low, high in zip(everything.estimates, values.mean(1), *bounds, strict=True):
        assert (estimate.value, estimate.low, estimate.high) == pytest.approx((mean, low, high))
        assert estimate.low < estimate.value < estimate.high
        assert estimate.difference is None


def test_another_seed_does_not_narrow_an_interval_as_other_queries_would(systems, random):
    """The same run twice is what it is once."""
    once, twice = slices([systems["plain"], systems["plain"] * 2])[0].estimates
    assert once == twice


def test_differences_are_paired_and_corrected(systems):
    found = paired_differences(systems, "plain")
    assert list(found) == ["alike", "good"]
    values, cluster = values_of(systems), systems["plain"][0].cluster
    apart = values[1:] - values[0]
    p = sign_flip_test(np.concatenate([apart, 0 * apart[:1]]), cluster)[:2]
    resampled = bootstrap_means(values, cluster, np.zeros(240, int))[..., 0]
    bounds = percentile_interval(resampled[:, 1:] - resampled[:, [0]], 0.95).T
    for difference, mean, (low, high), raw, corrected in zip(
        found.values(), apart.mean(1), bounds, p, holm(p), strict=True
    ):
        assert (difference.value, difference.low, difference.high) == pytest.approx((mean, low, high))
        assert (difference.p, difference.corrected) == pytest.approx((raw, corrected))
    assert found["good"].holds()
    assert not found["alike"].holds()
    assert not found["good"].holds(level=1 - found["good"].corrected / 2)
    low, high = percentile_interval(resampled[:, 1], 0.95)
    assert found["alike"].high - found["alike"].low < high - low, "luck with queries is shared"


def test_differences_of_hits(systems):
    found = paired_differences(systems, "good", metric="hits@3")
    values = values_of(systems, "hits@3").mean(1)
    assert found["plain"].value == pytest.approx(values[0] - values[2])


def test_slices_by_relation_and_their_mean(systems):
    everything, *relations, mean = slices(list(systems.values()), by="relation", against=0)
    assert [(found.name, found.queries) for found in relations] == [
        ("relation 0", 160),
        ("relation 5", 60),
        ("relation 9", 20),
    ]
    assert (mean.name, mean.queries, mean.entities) == ("mean over 3 relations", 240, 40)
    values, run = values_of(systems), systems["plain"][0]
    by_hand = np.stack([values[:, run.relation == relation].mean(1) for relation in (0, 5, 9)])
    for found, expected in zip(relations, by_hand, strict=True):
        assert [estimate.value for estimate in found.estimates] == pytest.approx(list(expected))
    assert [estimate.value for estimate in mean.estimates] == pytest.approx(list(by_hand.mean(0)))
    group = np.searchsorted([0, 5, 9], run.relation)
    resampled = bootstrap_means(values, run.cluster, group).mean(2)
    low, high = percentile_interval(resampled, 0.95)
    assert [estimate.low for estimate in mean.estimates] == pytest.approx(list(low))
    assert [estimate.high for estimate in mean.estimates] == pytest.approx(list(high))
    # a difference of means is the mean of differences, each relation with the same weight
    share = 240 / (3 * np.array([160, 60, 20])[group])
    assert mean.estimates[2].difference.p == sign_flip_test((values[[2]] - values[0]) * share, run.cluster)[0]
    assert mean.estimates[2].difference.value == pytest.approx((by_hand[:, 2] - by_hand[:, 0]).mean())
    p = np.array([[found.estimates[system].difference.p for system in (1, 2)] for found in relations])
    corrected = [[found.estimates[system].difference.corrected for system in (1, 2)] for found in relations]
    assert np.array(corrected) == pytest.approx(holm(p)), "all that the slices claim is corrected together"
    assert everything.estimates[2].difference.corrected <= corrected[2][1], "and apart from what all queries say"


def test_relations_go_by_their_names_and_by_id_where_these_do_not_tell(systems):
    names = ["born in", "", "", "", "", "part of", "", "", "", "part of"]
    found = slices(list(systems.values()), by="relation", relations=names)[1:-1]
    assert [one.name for one in found] == ["relation born in", "relation part of (5)", "relation part of (9)"]


def test_slices_by_side(systems):
    _, tail, head = slices(list(systems.values()), by="side")
    values = values_of(systems)
    assert (tail.name, head.name, tail.queries) == ("tail", "head", 120)
    assert [estimate.value for estimate in tail.estimates] == pytest.approx(list(values[:, ::2].mean(1)))


def test_slices_by_popularity_are_deciles(systems):
    _, *deciles = slices(list(systems.values()), by="popularity")
    assert [found.queries for found in deciles] == [24] * 10
    assert deciles[0].name == "popularity 0 to 11"
    assert deciles[-1].name == "popularity 108 to 119"
    values = values_of(systems)
    assert deciles[0].estimates[0].value == pytest.approx(values[0, :24].mean())


def test_equally_popular_answers_stay_together():
    popularity = np.repeat([0, 1, 7], [70, 20, 10])
    queries = ranked(np.ones(100), popularity=popularity)
    _, *found = slices([[queries]], by="popularity")
    assert [(one.name, one.queries) for one in found] == [
        ("popularity 0", 70),
        ("popularity 1", 20),
        ("popularity 7", 10),
    ]


def test_few_entities_have_no_interval():
    few = ranked(np.arange(1, 41), cluster=np.arange(40) % 9)
    assert slices([[few]])[0].estimates[0].low is None
    hub = ranked(np.arange(1, 41), cluster=np.maximum(0, np.arange(40) - 20))
    (found,) = slices([[hub], [few_of(hub)]], against=0)
    assert found.entities == 20
    assert found.estimates[1].high is None, "half of all queries are about one entity: that is as few"
    assert found.estimates[1].difference.low is None
    assert 0 < found.estimates[1].difference.p <= 1


def few_of(queries):
    return RankedQueries(**(vars(queries) | {"optimistic": queries.optimistic + 1}))


@pytest.mark.parametrize("part", ["head_side", "relation", "cluster", "popularity"])
def test_other_queries_are_refused(part):
    first = ranked(np.ones(20))
    other = RankedQueries(**(vars(first) | {part: np.roll(getattr(first, part), 1)}))
    with pytest.raises(InputError, match="different queries"):
        paired_differences({"a": [first], "b": [other]}, "a")
    with pytest.raises(InputError, match="different queries"):
        slices([[first, ranked(np.ones(22))]])
