"""Scores of late fusion are those of its parts, weighed by relation and added."""

import math

import pytest
import torch

from dhns.errors import InputError
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.late_fusion import LateFusion
from dhns.scorers.quate import QuatE
from dhns.scorers.rotate import RotatE


@pytest.fixture
def scorer():
    torch.manual_seed(0)
    return LateFusion(2, [QuatE, lambda dim: RotatE(2 * dim)])


def test_a_score_is_the_weighted_sum_of_those_of_the_parts(scorer):
    first, second = scorer.parts
    head, tail = torch.randn(5, 16), torch.randn(5, 16)
    stored = torch.cat([torch.randn(5, first.relation_width), torch.randn(5, 4), torch.randn(5, 2)], dim=1)
    found = scorer(head, scorer.prepare(stored), tail)
    r1, r2, logarithms = stored.split([first.relation_width, 4, 2], dim=1)
    for row in range(5):
        one = first(head[row, :8], first.prepare(r1)[row], tail[row, :8])
        two = second(head[row, 8:], r2[row], tail[row, 8:])
        weights = [math.exp(number) for number in logarithms[row].tolist()]
        assert found[row].item() == pytest.approx(weights[0] * one.item() + weights[1] * two.item(), rel=1e-4)


def test_parts_start_with_equal_weights_and_relations_of_their_own(scorer):
    relations = scorer.initial_relations(500)
    first, second = (part.relation_width for part in scorer.parts)
    assert torch.equal(scorer.prepare(relations)[:, -2:], torch.ones(500, 2))
    for own, part in zip(relations.split([first, second, 2], dim=1), scorer.parts, strict=False):
        assert own.abs().max() == pytest.approx(part.initial_relations(5000).abs().max().item(), rel=0.05)


def test_magnitudes_are_those_of_the_parts_without_weights(scorer):
    first, second = scorer.parts
    stored = scorer.initial_relations(3)
    r1, r2, _ = stored.split([first.relation_width, second.relation_width, 2], dim=1)
    assert torch.equal(scorer.magnitudes(stored), torch.cat([first.magnitudes(r1), second.magnitudes(r2)], dim=1))
    entity = torch.randn(3, 16)
    expected = torch.cat([first.magnitudes(entity[:, :8]), second.magnitudes(entity[:, 8:])], dim=1)
    assert torch.equal(scorer.magnitudes(entity), expected)
    assert torch.equal(scorer.magnitudes(entity[:, :8]), first.magnitudes(entity[:, :8]))


@pytest.mark.parametrize("parts", [[ComplEx], [ComplEx, DistMult], []])
def test_parts_that_do_not_go_together_are_refused(parts):
    with pytest.raises(InputError, match="expected two scorers or more, of one length"):
        LateFusion(3, parts)


def test_another_number_of_views_is_refused(scorer):
    with pytest.raises(InputError, match="has 2 scorers, and the encoder puts 3 of their views"):
        scorer.query(torch.randn(1, 24), scorer.prepare(scorer.initial_relations(1)))
