"""Metrics against a worked example, and their merging over processes."""

import json

import pytest
import torch

from dhns.graph.cardinality import CATEGORIES
from dhns.ranking.metric import LinkPredictionMetric
from dhns.ranking.ranks import Ranks

# Relation 0 is 1-N, relation 1 is N-N. Entity 4 is in no training triple.
CATEGORY = torch.tensor([CATEGORIES.index("1-N"), CATEGORIES.index("N-N")])
SEEN = torch.tensor([True, True, True, True, False])

# Three triples, both sides each; the third holds the unseen entity.
TRIPLES = torch.tensor([[0, 0, 1], [2, 1, 3], [4, 1, 0]]).repeat(2, 1)
HEAD_SIDE = torch.tensor([False] * 3 + [True] * 3)
RANKS = Ranks(
    optimistic=torch.tensor([1, 2, 1, 4, 1, 5]),
    pessimistic=torch.tensor([1, 2, 2, 4, 3, 5]),
    candidates=torch.tensor([5, 4, 5, 5, 3, 5]),
    own=torch.tensor([0, 2, 1, 2, 0, 2]),
)
QUERY = torch.tensor([0, 1, 2, 0, 1, 2])
# By hand, realistic: tails 1, 2, 1.5; heads 4, 2, 5.


def new_metric(**kwargs):
    return LinkPredictionMetric(CATEGORY, SEEN, **kwargs)


def record(metric, rows=slice(None)):
    metric.update(TRIPLES[rows], HEAD_SIDE[rows], Ranks(*(column[rows] for column in RANKS)), QUERY[rows])
    return metric


def test_the_worked_example():
    metrics = record(new_metric()).compute()
    expected = {
        "mrr": (1 + 1 / 2 + 1 / 1.5 + 1 / 4 + 1 / 2 + 1 / 5) / 6,
        "mr": 15.5 / 6,
        # E[MR] = mean of 3, 2.5, 3, 3, 2, 3 = 16.5 / 6, so AMRI = 1 - (9.5 / 6) / (10.5 / 6)
        "amri": 1 - 9.5 / 10.5,
        "hits@1": 1 / 6,
        "hits@3": 4 / 6,
        "hits@10": 1,
        "queries": 6,
        "optimistic/mrr": (1 + 1 / 2 + 1 + 1 / 4 + 1 + 1 / 5) / 6,
        "optimistic/mr": 14 / 6,
        "optimistic/hits@1": 3 / 6,
        "pessimistic/mrr": (1 + 1 / 2 + 1 / 2 + 1 / 4 + 1 / 3 + 1 / 5) / 6,
        "pessimistic/amri": 1 - 11 / 10.5,
        "head/mrr": (1 / 4 + 1 / 2 + 1 / 5) / 3,
        "head/mr": 11 / 3,
        "head/queries": 3,
        "tail/mrr": (1 + 1 / 2 + 1 / 1.5) / 3,
        "tail/hits@1": 1 / 3,
        "1-N/mrr": (1 + 1 / 4) / 2,
        "1-N/head/mrr": 1 / 4,
        "1-N/head/amri": -0.5,  # rank 4 of 5 is worse than chance
        "1-N/tail/mrr": 1,
        "1-N/tail/amri": 1,
        "N-N/queries": 4,
        "N-N/head/mr": 3.5,
        "unseen/mrr": (1 / 1.5 + 1 / 5) / 2,
        "unseen/queries": 2,
        "seen/mr": 9 / 4,
        "seen/queries": 4,
        "own_above": 3 / 6,
    }
    assert {key: metrics[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def test_metrics_are_plain_finite_numbers_and_slices_without_queries_are_left_out():
    metrics = record(new_metric()).compute()
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert all(type(value) is float for value in metrics.values())
    absent = ("1-1", "N-1")
    assert not [key for key in metrics if key.startswith(absent)]
    only_tails = record(new_metric(), slice(0, 2)).compute()
    assert not [key for key in only_tails if "head" in key or "unseen" in key]


def test_triples_of_entities_that_lost_a_modality():
    lost = torch.tensor([False, False, False, True, False])
    metrics = record(new_metric(lost_modality=lost)).compute()
    # the second triple holds entity 3: ranks 2 and 2
    assert metrics["lost/mrr"] == pytest.approx(1 / 2)
    assert (metrics["lost/queries"], metrics["kept/queries"]) == (2, 4)
    assert metrics["kept/mrr"] == pytest.approx((1 + 1 / 1.5 + 1 / 4 + 1 / 5) / 4)
    assert {key: value for key, value in metrics.items() if key[:5] not in ("lost/", "kept/")} == (
        record(new_metric()).compute()
    )


def test_triples_whose_ends_train_links():
    # {0, 4} in the direction of the third triple or not; {1, 2} is nobody's
    metrics = record(new_metric(linked_pairs=torch.tensor([0 * 5 + 4, 1 * 5 + 2]))).compute()
    assert metrics["linked/mrr"] == pytest.approx((1 / 1.5 + 1 / 5) / 2)
    assert (metrics["linked/queries"], metrics["unlinked/queries"]) == (2, 4)
    assert metrics["unlinked/mrr"] == pytest.approx((1 + 1 / 2 + 1 / 4 + 1 / 2) / 4)
    assert not [key for key in record(new_metric()).compute() if "linked" in key]


def test_a_metric_without_queries_is_empty():
    with pytest.warns(UserWarning, match="before the ``update``"):
        assert new_metric().compute() == {}


def test_without_rivals_there_is_no_amri():
    metric = new_metric()
    one = torch.tensor([1])
    metric.update(TRIPLES[:1], HEAD_SIDE[:1], Ranks(one, one, one, 0 * one), QUERY[:1])
    metrics = metric.compute()
    assert metrics["mrr"] == 1
    assert "amri" not in metrics


def test_hits_are_chosen():
    metrics = record(new_metric(hits=(2,))).compute()
    assert metrics["hits@2"] == pytest.approx(4 / 6)
    assert "hits@1" not in metrics


def test_batches_and_order_do_not_matter():
    whole = record(new_metric()).compute()
    parts = new_metric()
    for rows in ([5, 0], [3], [1, 4, 2]):
        record(parts, rows)
    assert parts.compute() == pytest.approx(whole)


def test_a_repeated_query_counts_once_but_a_repeated_triple_twice():
    whole = record(new_metric()).compute()
    assert record(record(new_metric()), slice(0, 2)).compute() == whole
    again = record(new_metric())
    again.update(TRIPLES[:2], HEAD_SIDE[:2], Ranks(*(column[:2] for column in RANKS)), QUERY[:2] + 3)
    assert again.compute()["queries"] == 8


def test_processes_merge_by_concatenation_and_their_padding_counts_once():
    """Two processes of 3 and 5 queries; 0 and 1 are repeated, as a distributed sampler pads."""
    second = record(new_metric(), [4, 5, 3, 0, 1])

    def gather(state, group=None):
        return [state, torch.cat(second.records)]

    first = new_metric(dist_sync_fn=gather, distributed_available_fn=lambda: True)
    record(first, [0]), record(first, [1, 2])
    assert first.compute() == record(new_metric()).compute()
    assert len(first.records) == 2, "compute leaves the process its own records"


def test_records_are_those_of_each_query_once_in_the_order_of_the_split():
    metric = record(record(new_metric(), [5, 0, 3]), [1, 4, 2, 0])
    records = metric.distinct_records()
    assert records.query.tolist() == [0, 0, 1, 1, 2, 2]
    assert records.head_side.tolist() == [0, 1] * 3
    assert records.optimistic.tolist() == [1, 4, 2, 1, 1, 5]
    assert len(new_metric().distinct_records().query) == 0


def test_reset_forgets():
    metric = record(new_metric())
    metric.compute()
    metric.reset()
    assert record(metric, [0]).compute()["queries"] == 1
