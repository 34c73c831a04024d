"""The margin ranking loss against its formula in plain Python."""

import pytest
import torch

from dhns.losses.margin_ranking import MarginRankingLoss

POSITIVE = [1.5, -0.5, 3.0]
NEGATIVE = [[0.2, 1.0], [2.0, -2.5], [-4.0, 2.9]]
WEIGHT = [[0.5, 2.0], [1.0, 3.0], [0.1, 4.0]]
MARGIN = 0.75


def formula(margin, weight=None):
    total = 0.0
    for row, positive in enumerate(POSITIVE):
        for column, negative in enumerate(NEGATIVE[row]):
            total += (weight[row][column] if weight else 1) * max(0.0, margin - positive + negative)
    return total / (len(POSITIVE) * len(NEGATIVE[0]))


@pytest.mark.parametrize("margin", [0.0, MARGIN, 5.0])
def test_loss_is_the_formula(margin):
    loss = MarginRankingLoss(margin)(torch.tensor(POSITIVE), torch.tensor(NEGATIVE))
    assert loss.item() == pytest.approx(formula(margin))


def test_weights_are_factors_of_the_pairs():
    loss = MarginRankingLoss(MARGIN)(torch.tensor(POSITIVE), torch.tensor(NEGATIVE), torch.tensor(WEIGHT))
    assert loss.item() == pytest.approx(formula(MARGIN, WEIGHT))


def test_terms_attract_positives_and_repel_negatives_of_violated_pairs():
    positive, negative = (torch.tensor(part, requires_grad=True) for part in (POSITIVE, NEGATIVE))
    positive_loss, negative_loss = MarginRankingLoss(MARGIN).terms(positive, negative)
    violated = torch.tensor([[MARGIN - p + n > 0 for n in row] for p, row in zip(POSITIVE, NEGATIVE, strict=True)])
    assert 0 < violated.sum() < violated.numel()
    torch.testing.assert_close(torch.autograd.grad(positive_loss, positive)[0], -violated.sum(1) / 6)
    torch.testing.assert_close(torch.autograd.grad(negative_loss, negative)[0], violated / 6)


def test_gradients_of_weights_are_the_violations():
    """Through which a sampler that weighs its negatives learns."""
    weight = torch.tensor(WEIGHT, requires_grad=True)
    loss = MarginRankingLoss(MARGIN)(torch.tensor(POSITIVE), torch.tensor(NEGATIVE), weight)
    expected = [[max(0.0, MARGIN - p + n) / 6 for n in row] for p, row in zip(POSITIVE, NEGATIVE, strict=True)]
    torch.testing.assert_close(torch.autograd.grad(loss, weight)[0], torch.tensor(expected))
