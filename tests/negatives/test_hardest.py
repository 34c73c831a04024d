"""Which entities are the hardest, and which of them are taken."""

import pytest
import torch

from builders import small_model
from dhns.graph.queries import Queries, answers
from dhns.models.current_scores import current_scores_of_all
from dhns.negatives.hardest import HardestSampler, wrong_answers
from dhns.randomness import stream
from dhns.scorers.rotate import RotatE


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, RotatE(3, 3.0), torch.float32).train()


def ranked(graph, model, triple, head_side, filtered):
    """Wrong answers of a query, by falling score of the triples that they make."""
    h, r, t = triple
    known = {tuple(row) for row in graph.train.tolist()} if filtered else {triple}
    facts = [(e, r, t) if head_side else (h, r, e) for e in range(graph.num_entities)]
    score = model.eval().score_triples(torch.tensor(facts)).tolist()
    model.train()
    return [e for e in sorted(range(graph.num_entities), key=lambda e: -score[e]) if facts[e] not in known]


@pytest.mark.parametrize("filtered", [True, False])
@pytest.mark.parametrize("skip", [0, 2])
def test_the_hardest_wrong_answers_are_taken(toy_graph, model, filtered, skip):
    sampler = HardestSampler(toy_graph, num_negatives=3, skip=skip, filtered=filtered)
    negatives = sampler(toy_graph.train, 0, stream(0, "test"), model)
    for triple, head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        assert found == ranked(toy_graph, model, tuple(triple), head_side, filtered)[skip : skip + 3]


def test_too_few_wrong_answers_are_repeated_hardest_first(toy_graph, model):
    negatives = HardestSampler(toy_graph, num_negatives=30, skip=1)(toy_graph.train, 0, stream(0, "test"), model)
    for triple, head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        expected = ranked(toy_graph, model, tuple(triple), head_side, True)[1:]
        assert found == (expected * 30)[:30]


def test_skipping_more_than_there_are_leaves_the_easiest(toy_graph, model):
    negatives = HardestSampler(toy_graph, num_negatives=2, skip=100)(toy_graph.train, 0, stream(0, "test"), model)
    for triple, head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        assert found == [ranked(toy_graph, model, tuple(triple), head_side, True)[-1]] * 2


def test_out_of_a_pool_the_hardest_are_taken(toy_graph, model):
    """A pool of one is no choice; one that holds nearly everything is nearly all entities."""
    rng = stream(0, "test")
    alone = HardestSampler(toy_graph, num_negatives=2, pool=1)(toy_graph.train, 0, rng, model).entity
    assert torch.equal(alone[:, 0], alone[:, 1])
    sampler = HardestSampler(toy_graph, num_negatives=1, pool=2000)
    negatives = sampler(toy_graph.train, 0, stream(0, "test"), model)
    for triple, head_side, found in zip(
        toy_graph.train.tolist(), negatives.head_side.tolist(), negatives.entity.tolist(), strict=True
    ):
        assert found == ranked(toy_graph, model, tuple(triple), head_side, True)[:1]


def test_where_everything_is_an_answer_all_entities_count():
    everything = torch.zeros(1, 4, dtype=torch.bool)
    sampler = HardestSampler.__new__(HardestSampler)
    torch.nn.Module.__init__(sampler)
    sampler.skip, sampler.num_negatives = 1, 2
    assert sampler._hardest(torch.tensor([[0.1, 0.4, 0.3, 0.2]]), everything).tolist() == [[2, 3]]


def test_scores_of_all_are_those_of_ranking_and_each_query_is_scored_once(toy_graph, model):
    heads = torch.arange(len(toy_graph.train)) % 3 > 0
    queries = Queries.of(toy_graph.train, heads)
    scores = current_scores_of_all(model, queries)
    assert not scores.requires_grad
    assert model.encoder.training
    expected = model.eval().score_all(queries)
    assert torch.allclose(scores, expected, atol=1e-5)


def test_wrong_answers_are_all_others(toy_graph):
    heads = torch.zeros(len(toy_graph.train), dtype=torch.bool)
    queries, answer = Queries.of(toy_graph.train, heads), answers(toy_graph.train, heads)
    wrong = wrong_answers(queries, answer, toy_graph.num_entities, None)
    assert wrong.sum(1).tolist() == [11] * len(answer)
    assert not wrong[torch.arange(len(answer)), answer].any()
