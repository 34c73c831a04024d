"""The query's own entity is raised by one number on every path, which only its own likelihood trains."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from dhns.encoders.structural import StructuralEncoder
from dhns.graph.queries import Queries, answers
from dhns.losses.non_sampling import NonSamplingLoss
from dhns.losses.softmax import SoftmaxLoss
from dhns.models.batch import Negatives, embed_queries, score_negatives
from dhns.models.kge_model import KGEModel
from dhns.models.own_entity import STEP, OwnEntity
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE

TRIPLES = torch.tensor([[0, 0, 0], [1, 0, 1], [2, 0, 3], [0, 1, 2], [3, 1, 1], [2, 1, 0], [1, 1, 0]])
"""Relation 0 has two loops in three triples, relation 1 none in four."""
SIDES = torch.tensor([False, True, False, True, False, True, False])


@pytest.fixture(params=[False, True], ids=["inverse", "reciprocal"])
def model(request, toy_graph):
    return made(toy_graph, RotatE(4, margin=2.0), request.param)


def made(graph, scorer, reciprocal=False, own=True):
    torch.manual_seed(0)
    own_entity = OwnEntity(TRIPLES, graph.num_relations) if own else None
    model = KGEModel(StructuralEncoder(graph, scorer), scorer, graph.num_relations, reciprocal, own_entity)
    if own:
        with torch.no_grad():
            own_entity.learned.uniform_(-0.3, 0.3)
    return model.double()


def test_the_number_starts_from_the_log_odds_of_a_loop():
    own = OwnEntity(TRIPLES, 3)
    found = own(Queries(torch.zeros(6).long(), torch.arange(3).repeat(2), torch.arange(6) >= 3))
    expected = [math.log(2.5 / 1.5), math.log(0.5 / 4.5), 0.0]
    torch.testing.assert_close(found, torch.tensor(expected * 2))


def test_each_relation_and_side_has_a_number_of_its_own():
    own = OwnEntity(TRIPLES, 2)
    with torch.no_grad():
        own.learned.copy_(torch.arange(4.0))
    queries = Queries(torch.zeros(4).long(), torch.tensor([0, 1, 0, 1]), torch.tensor([False, False, True, True]))
    torch.testing.assert_close(own(queries) - own.prior, STEP * torch.arange(4.0))


def test_every_path_raises_the_own_entity_and_no_other(model, toy_graph):
    queries = Queries.of(TRIPLES, SIDES)
    plain, model.own_entity = model.own_entity, None
    before = model.score_all(queries)
    model.own_entity = plain
    found = model.score_all(queries)
    expected = before.clone()
    for row, entity in enumerate(queries.entity):
        expected[row, entity] += plain(queries)[row]
    torch.testing.assert_close(found, expected)
    everything = torch.arange(toy_graph.num_entities).expand(len(TRIPLES), -1)
    torch.testing.assert_close(model.score_candidates(queries, everything), expected)
    answer = answers(TRIPLES, SIDES)
    torch.testing.assert_close(model.score_triples(TRIPLES, SIDES), expected.gather(1, answer[:, None])[:, 0])


@pytest.mark.parametrize("shared", [False, True])
def test_sampled_scores_are_those_of_ranking(model, shared):
    queries = Queries.of(TRIPLES, SIDES)
    entity = torch.tensor([[0, 1, 2, 3]]) if shared else torch.stack([queries.entity, (queries.entity + 1) % 4], dim=1)
    found = score_negatives(model, TRIPLES, Negatives(queries, entity))
    expected = model.score_all(queries)
    torch.testing.assert_close(found.negative, expected.gather(1, entity.expand(len(TRIPLES), -1)))
    torch.testing.assert_close(found.positive, expected.gather(1, answers(TRIPLES, SIDES)[:, None])[:, 0])


def test_its_loss_is_the_likelihood_among_answer_own_entity_and_negatives(model):
    queries, answer = Queries.of(TRIPLES, SIDES), answers(TRIPLES, SIDES)
    entity = torch.tensor([[4, 5, 6]]).expand(len(TRIPLES), -1)
    found = score_negatives(model, TRIPLES, Negatives(queries, entity)).own_loss
    scores, expected = model.score_all(queries).detach(), []
    for row, (own, true) in enumerate(zip(queries.entity, answer, strict=True)):
        ids = [own, *([] if own == true else [true]), 4, 5, 6]
        own_share = scores[row, ids].softmax(0)[0]
        expected.append(-(own_share if own == true else 1 - own_share).log())
    torch.testing.assert_close(found.double(), torch.stack(expected).mean(), rtol=1e-5, atol=1e-5)


def test_its_loss_trains_the_numbers_alone_and_away_from_what_never_answers(model):
    own = model.own_entity
    found = score_negatives(model, TRIPLES, Negatives(Queries.of(TRIPLES, SIDES), torch.tensor([[4, 5, 6]])))
    found.own_loss.backward()
    assert all(p.grad is None or not p.grad.any() for name, p in model.named_parameters() if "own_entity" not in name)
    relation, sides = model.num_relations, (1, 1 + model.num_relations)
    assert all(own.learned.grad[row] > 0 for row in sides), "no loop of relation 1: its numbers fall"
    assert own.learned.grad[0] != 0
    assert own.learned.grad[relation] != 0


def test_without_it_nothing_is_scored_besides(toy_graph):
    model = made(toy_graph, RotatE(4), own=False)
    found = score_negatives(model, TRIPLES, Negatives(Queries.of(TRIPLES, SIDES), torch.tensor([[4, 5, 6]])))
    assert found.own_loss is None
    assert found.negative.shape == (len(TRIPLES), 3)


@pytest.mark.parametrize("reciprocal", [False, True])
def test_softmax_over_all_entities_has_it(toy_graph, reciprocal):
    model = made(toy_graph, ComplEx(4), reciprocal)
    batch, queries = embed_queries(model, TRIPLES, SIDES)
    found = sum(SoftmaxLoss().terms(model.scorer, queries, batch.encoded.joint))
    expected = cross_entropy(model.score_all(Queries.of(TRIPLES, SIDES)), answers(TRIPLES, SIDES))
    torch.testing.assert_close(found, expected)
    parameters = list(model.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(found, parameters), torch.autograd.grad(expected, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_the_squared_loss_over_all_triples_has_it(toy_graph):
    model = made(toy_graph, DistMult(4))
    batch, queries = embed_queries(model, TRIPLES, SIDES)
    found = sum(NonSamplingLoss(0.1).terms(model.scorer, queries, batch.encoded.joint))
    asked, _ = Queries.of(TRIPLES, SIDES).distinct(model.num_relations)
    known = model.score_all(Queries.of(TRIPLES, SIDES)).gather(1, answers(TRIPLES, SIDES)[:, None])
    others = model.score_all(asked).square().sum() / len(TRIPLES) - known.square().mean()
    torch.testing.assert_close(found, (known - 1).square().mean() + 0.1 * others)
