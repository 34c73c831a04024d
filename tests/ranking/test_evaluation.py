"""The evaluation loop: sides, chunks, precision, filters, checks and the baseline."""

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.cardinality import relation_category
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.queries import Queries
from dhns.ranking.baseline import RelationFrequency
from dhns.ranking.evaluation import queries_per_chunk, rank_batch, rank_triples
from dhns.ranking.metric import LinkPredictionMetric

ENTITIES, RELATIONS = 30, 4


@pytest.fixture
def graph():
    generator = torch.Generator().manual_seed(3)
    sizes = torch.tensor([ENTITIES, RELATIONS, ENTITIES])
    triples = (torch.rand(150, 3, generator=generator) * sizes).long().unique(dim=0)
    triples = triples[torch.randperm(len(triples), generator=generator)]
    entities = Vocabulary("entity", *2 * (tuple(f"entity {i}" for i in range(ENTITIES)),))
    relations = Vocabulary("relation", *2 * (tuple(f"relation {i}" for i in range(RELATIONS)),))
    return KnowledgeGraph("toy", entities, relations, triples[:-50], triples[-50:-25], triples[-25:])


@pytest.fixture
def known(graph):
    return KnownAnswers(graph.triples("train", "valid", "test"), ENTITIES, RELATIONS)


@pytest.fixture
def metric(graph):
    return LinkPredictionMetric(relation_category(graph.train, RELATIONS), graph.seen_entities)


class Table:
    """A model that is a table of scores, rounded so that some tie; all are negative."""

    def __init__(self, dtype=torch.float32):
        generator = torch.Generator().manual_seed(5)
        self.scores = (torch.rand(ENTITIES, RELATIONS, ENTITIES, generator=generator) * 16).round() / 16 - 2
        self.dtype = dtype
        self.batches = []

    def all(self, queries):
        entity, relation, head_side = queries
        self.batches.append(head_side)
        tails, heads = self.scores[entity, relation], self.scores[:, relation, entity].T
        return torch.where(head_side[:, None], heads, tails).to(self.dtype)

    def triples(self, triples):
        return self.scores[tuple(triples.T)].to(self.dtype)


def slow_reciprocal_ranks(table, graph):
    """Realistic reciprocal ranks of the test set, tails then heads of each triple, over a set of known triples."""
    known = {tuple(row) for row in graph.triples("train", "valid", "test").tolist()}
    for h, r, t in graph.test.tolist():
        for corrupt in (lambda e: (h, r, e), lambda e: (e, r, t)):  # noqa: B023
            rivals = [table.scores[corrupt(e)] for e in range(ENTITIES) if corrupt(e) not in known]
            better = sum(bool(score > table.scores[h, r, t]) for score in rivals)
            tied = sum(bool(score == table.scores[h, r, t]) for score in rivals)
            yield 1 / (1 + better + tied / 2)


def test_both_sides_are_ranked_among_unknown_triples(graph, known, metric):
    table = Table()
    metrics = rank_triples(table.all, graph.test, known, metric, score_triples=lambda t, _: table.triples(t))
    expected = list(slow_reciprocal_ranks(table, graph))
    assert metrics["queries"] == len(expected) == 50
    assert metrics["mrr"] == pytest.approx(sum(expected) / 50)
    assert metrics["tail/mrr"] == pytest.approx(sum(expected[0::2]) / 25)
    assert metrics["head/mrr"] == pytest.approx(sum(expected[1::2]) / 25)


def test_the_own_entity_of_a_query_is_compared_where_it_competes(graph, known, metric):
    table, expected = Table(), []
    rank_triples(table.all, graph.test, known, metric)
    triples = {tuple(row) for row in graph.triples("train", "valid", "test").tolist()}
    for h, r, t in graph.test.tolist():
        for loop in ((h, r, h), (t, r, t)):
            difference = float(table.scores[loop] - table.scores[h, r, t])
            expected.append(0 if loop in triples else (difference > 0) + (difference >= 0))
    assert metric.distinct_records().own.tolist() == expected
    assert {0, 1, 2} == set(expected)


def test_negative_scores_rank_like_shifted_ones(graph, known, metric):
    """torchmetrics' own RetrievalMRR drops scores below zero."""
    table = Table()
    metrics = rank_triples(table.all, graph.test, known, metric)
    table.scores += 64
    metric.reset()
    assert rank_triples(table.all, graph.test, known, metric) == metrics


@pytest.mark.parametrize("batch_size", [1, 4, 25, 1000])
def test_chunks_change_nothing_and_ask_for_one_side_each(graph, known, metric, batch_size):
    table = Table()
    whole = rank_triples(table.all, graph.test, known, metric)
    metric.reset()
    table.batches.clear()
    assert rank_triples(table.all, graph.test, known, metric, batch_size=batch_size, progress=True) == whole
    assert all(len(batch) <= batch_size and len(batch.unique()) == 1 for batch in table.batches)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_scores_are_ranked_in_fp32(graph, known, dtype):
    side = torch.zeros(25, dtype=torch.bool)
    half, full = Table(dtype), Table()
    full.scores = full.scores.to(dtype).float()
    for left, right in zip(
        rank_batch(half.all, graph.test, side, known), rank_batch(full.all, graph.test, side, known), strict=True
    ):
        assert torch.equal(left, right)


def test_autocast_is_off_while_scoring(graph, known):
    weights = torch.randn(ENTITIES, 16, generator=torch.Generator().manual_seed(0))
    seen = []

    def score_all(queries):
        scores = weights[queries.entity] @ weights.T
        seen.append(scores.dtype)
        return scores

    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (weights @ weights.T).dtype == torch.bfloat16
        rank_batch(score_all, graph.test, torch.ones(25, dtype=torch.bool), known)
    assert seen == [torch.float32]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("asked", ["head", "tail"])
def test_non_finite_scores_name_the_triple(graph, known, metric, bad, asked):
    table = Table()

    def score_all(queries):
        entity, relation, _ = queries
        scores = table.all(queries)
        if len(table.batches) == (4 if asked == "head" else 3):  # the second chunk, tails asked before heads
            head, asked_relation, tail = graph.test[7]
            scores[(entity == (tail if asked == "head" else head)) & (relation == asked_relation), 3] = bad
        return scores

    with pytest.raises(InputError) as caught:
        rank_triples(score_all, graph.test, known, metric, describe=graph.describe, batch_size=5)
    message = str(caught.value)
    assert f"asking for the {asked} of '{graph.describe(tuple(graph.test[7].tolist()))}'" in message
    assert "learning rate" in message


@pytest.mark.parametrize("wrong_side", [False, True])
def test_two_scoring_paths_that_disagree_stop_the_ranking(graph, known, metric, wrong_side):
    table = Table()

    def score_all(queries):
        return table.all(queries) + 0.01 * (queries.head_side == wrong_side)[:, None]

    with pytest.raises(RuntimeError, match="ranks would be wrong"):
        rank_triples(score_all, graph.test, known, metric, score_triples=lambda t, _: table.triples(t))
    heads = torch.ones(25, dtype=torch.bool)
    rounding = rank_batch(table.all, graph.test, heads, known, score_triples=lambda t, _: table.triples(t) + 1e-5)
    assert len(rounding.optimistic) == 25


def test_chunks_fit_the_memory_given():
    assert queries_per_chunk(15_000) * 15_000 * 4 <= 256 * 2**20 < (queries_per_chunk(15_000) + 1) * 15_000 * 4
    assert queries_per_chunk(10**9) == 1
    assert queries_per_chunk(1000, memory_bytes=8000) == 2


def test_the_baseline_scores_by_training_counts(graph, known, metric):
    baseline = RelationFrequency(graph)
    queries = Queries(torch.tensor([0, 9, 5]), torch.tensor([1, 3, 1]), torch.tensor([False, True, True]))
    scores = baseline(queries)
    train = graph.train.tolist()
    for e in range(ENTITIES):
        assert scores[0, e] == sum(r == 1 and t == e for _, r, t in train)
        assert scores[1, e] == sum(r == 3 and h == e for h, r, _ in train)
        assert scores[2, e] == sum(r == 1 and h == e for h, r, _ in train)
    metrics = rank_triples(baseline, graph.test, known, metric)
    assert metrics["pessimistic/mrr"] < metrics["mrr"] < metrics["optimistic/mrr"]


def test_a_query_of_several_answers_is_scored_once(graph, known):
    """And ranks are those of each query by itself."""
    triples = graph.test[graph.test[:, :2].unique(dim=0, return_inverse=True)[1].sort().indices]
    heads, table = torch.zeros(len(triples), dtype=torch.bool), Table()
    asked = []

    def score_all(queries):
        asked.extend(zip(*(part.tolist() for part in queries), strict=True))
        return table.all(queries)

    together = rank_batch(score_all, triples, heads, known)
    assert len(asked) == len(set(asked)) < len(triples)
    for row in range(len(triples)):
        alone = rank_batch(table.all, triples[row : row + 1], heads[row : row + 1], known)
        assert [part[row].item() for part in together] == [part.item() for part in alone]
