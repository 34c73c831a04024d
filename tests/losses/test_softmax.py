"""Cross-entropy over all entities against its formula in plain Python."""

import math

import pytest
import torch

from dhns.losses.softmax import SoftmaxLoss, _SoftmaxTerms
from dhns.models.batch import EmbeddedQueries
from dhns.scorers.complex import ComplEx

ROW = [0, 0, 1, 2, 2, 2]  # queries of the positives
ANSWER = [1, 4, 0, 3, 5, 6]


@pytest.fixture
def scorer():
    return ComplEx(2)


@pytest.fixture
def world():
    """7 entities, and a query for each of three entities and relations, of either side."""
    draw = torch.Generator().manual_seed(0)
    entities, relations = (torch.randn(n, 4, generator=draw, dtype=torch.float64) for n in (7, 3))
    head_side = torch.tensor([False, True, False])
    return entities, EmbeddedQueries(entities[:3], relations, head_side, torch.tensor(ROW), torch.tensor(ANSWER))


def formula(scorer, world, smoothing):
    """``- sum_e target_e log softmax(scores)_e`` averaged over positives."""
    entities, queries = world
    total = 0.0
    for query, answer in zip(ROW, ANSWER, strict=True):
        known, relation = queries.entity[query], queries.relation[query]
        scores = [
            scorer(*((e, relation, known) if queries.head_side[query] else (known, relation, e))).item()
            for e in entities
        ]
        normaliser = math.log(sum(math.exp(s) for s in scores))
        for entity, score in enumerate(scores):
            target = (1 - smoothing) * (entity == answer) + smoothing / len(scores)
            total -= target * (score - normaliser)
    return total / len(ROW)


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
def test_loss_is_the_formula(scorer, world, smoothing):
    entities, queries = world
    positive_loss, negative_loss = SoftmaxLoss(smoothing).terms(scorer, queries, entities)
    assert (positive_loss + negative_loss).item() == pytest.approx(formula(scorer, world, smoothing), rel=1e-6)


def test_terms_are_the_scores_of_the_answers_and_the_normalisers(scorer, world):
    entities, queries = world
    positive_loss, _ = SoftmaxLoss().terms(scorer, queries, entities)
    scores = scorer.score_all(queries.entity, queries.relation, queries.head_side, entities)
    expected = -sum(scores[query, answer].item() for query, answer in zip(ROW, ANSWER, strict=True)) / len(ROW)
    assert positive_loss.item() == pytest.approx(expected, rel=1e-6)


@pytest.fixture
def scores():
    return torch.randn(3, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("term", [0, 1])
def test_gradients_of_the_terms(scores, term):
    row, answer = torch.tensor(ROW), torch.tensor(ANSWER)
    assert torch.autograd.gradcheck(lambda s: _SoftmaxTerms.apply(s, row, answer)[term], scores)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_gradients_of_the_loss_reach_every_table(scorer, world, smoothing):
    entities, queries = world

    def gradients(loss):
        tensors = [t.detach().requires_grad_() for t in (entities, queries.entity, queries.relation)]
        asked = EmbeddedQueries(tensors[1], tensors[2], *queries[2:])
        return torch.autograd.grad(loss(asked, tensors[0]), tensors)

    def reference(asked, table):
        scores = scorer.score_all(asked.entity, asked.relation, asked.head_side, table)[asked.row]
        target = torch.full_like(scores, smoothing / 7)
        target[torch.arange(len(ROW)), asked.answer] += 1 - smoothing
        return -(target * scores.log_softmax(1)).sum(1).mean()

    found = gradients(lambda asked, table: sum(SoftmaxLoss(smoothing).terms(scorer, asked, table)))
    torch.testing.assert_close(found, gradients(reference), rtol=1e-5, atol=1e-6)


def test_large_scores_stay_finite():
    scores = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    answered, normalised, _ = _SoftmaxTerms.apply(scores, torch.tensor([0]), torch.tensor([1]))
    (normalised - answered).backward()
    assert (normalised - answered).item() == pytest.approx(2e4)
    torch.testing.assert_close(scores.grad, torch.tensor([[1.0, -1.0, 0.0]]))
