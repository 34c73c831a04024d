"""One draw for a batch: the scores of own negatives, and known answers that count nothing."""

import pytest
import torch

from builders import small_model
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives, score_negatives
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.shared import SharedSampler
from dhns.randomness import stream
from dhns.scorers.complex import ComplEx
from dhns.scorers.rotate import RotatE


@pytest.fixture
def batch(toy_graph):
    return toy_graph.train[[0, 3, 5, 9, 11]]


def draw(graph, batch, step=0, **options):
    return SharedSampler(graph, **options)(batch, step, stream(0, "negatives", step), None)


@pytest.mark.parametrize("step", [0, 1])
def test_known_answers_among_the_draw_weigh_nothing(toy_graph, batch, step):
    negatives = draw(toy_graph, batch, step, num_negatives=40)
    assert negatives.entity.shape == (1, 40)
    assert negatives.head_side.tolist() == [step == 1] * len(batch)
    known = {tuple(triple) for triple in toy_graph.train.tolist()}
    found = []
    for row, (head, relation, tail) in enumerate(batch.tolist()):
        for column, entity in enumerate(negatives.entity[0].tolist()):
            corrupted = (entity, relation, tail) if step == 1 else (head, relation, entity)
            found.append(corrupted in known)
            assert negatives.weight[row, column].item() == (corrupted not in known)
    assert any(found)


def test_sides_by_the_relation_are_those_of_bernoulli(toy_graph):
    batch, sampler = toy_graph.train.repeat(400, 1), BernoulliSampler(toy_graph)
    found = draw(toy_graph, batch, sides="bernoulli").head_side.float()
    expected = sampler.head_probability[batch[:, 1]]
    assert len(expected.unique()) > 1
    for relation in range(toy_graph.num_relations):
        of_it = batch[:, 1] == relation
        torch.testing.assert_close(found[of_it].mean(), expected[of_it][0], atol=0.06, rtol=0)


def test_unfiltered_negatives_have_no_weight(toy_graph, batch):
    assert draw(toy_graph, batch, filtered=False).weight is None


def test_every_entity_is_drawn_equally_often(toy_graph, batch):
    drawn = draw(toy_graph, batch, num_negatives=20_000, filtered=False).entity
    share = drawn.flatten().bincount(minlength=toy_graph.num_entities) / drawn.numel()
    torch.testing.assert_close(share, torch.full_like(share, 1 / toy_graph.num_entities), rtol=0.1, atol=0)


@pytest.mark.parametrize("scorer", [RotatE, ComplEx])
def test_scores_are_those_of_negatives_of_their_own(toy_graph, batch, scorer):
    model = small_model(toy_graph, scorer(3))
    queries = Queries.of(batch, torch.tensor([False, True, True, False, True]))
    shared = Negatives(queries, torch.tensor([[1, 6, 6, 2]]))
    own = Negatives(queries, shared.entity.expand(len(batch), -1))
    _, positive, negative, _ = score_negatives(model, batch, shared)
    _, same_positive, same_negative, _ = score_negatives(model, batch, own)
    torch.testing.assert_close(positive, same_positive)
    torch.testing.assert_close(negative, same_negative)
