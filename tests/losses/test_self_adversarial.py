"""The self-adversarial loss against its formula in plain Python."""

import math

import pytest
import torch

from dhns.losses.self_adversarial import SelfAdversarialLoss

POSITIVE = [1.5, -0.5, 3.0]
NEGATIVE = [[0.2, -1.0], [2.0, 2.5], [-4.0, 0.0]]


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


def formula(temperature, halved):
    total = 0.0
    for positive, negatives in zip(POSITIVE, NEGATIVE, strict=True):
        shares = [math.exp((temperature or 0) * s) for s in negatives]
        total -= log_sigmoid(positive)
        total -= sum(share / sum(shares) * log_sigmoid(-s) for share, s in zip(shares, negatives, strict=True))
    return total / len(POSITIVE) / (2 if halved else 1)


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("temperature", [None, 0.5, 1.0])
def test_loss_is_the_formula(temperature, halved):
    loss = SelfAdversarialLoss(temperature, halved)(torch.tensor(POSITIVE), torch.tensor(NEGATIVE))
    assert loss.item() == pytest.approx(formula(temperature, halved))


def test_weights_of_negatives_are_constants():
    negative = torch.tensor(NEGATIVE, requires_grad=True)
    _, negative_loss = SelfAdversarialLoss(temperature=2.0, halved=False).terms(torch.tensor(POSITIVE), negative)
    (gradient,) = torch.autograd.grad(negative_loss, negative)
    fixed = negative.detach()
    # d/ds of -w log s(-s) with w fixed is w s(s)
    torch.testing.assert_close(gradient, (2 * fixed).softmax(1) * fixed.sigmoid() / len(POSITIVE))
