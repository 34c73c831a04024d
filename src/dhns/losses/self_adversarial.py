"""The log-sigmoid loss with self-adversarial weights (Sun et al., ICLR 2019, Eq. 6; DHNS Eq. 14)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

from dhns.losses.loss import SampledLoss
from dhns.ranges import NotNegative


class SelfAdversarialLoss(SampledLoss):
    """``-log s(positive) - sum_k w_k log s(-negative_k)`` with ``w = softmax(temperature * negative)``, held constant.

    Scores already contain the margin. ``-log s(x) = softplus(-x)``.

    Args:
        temperature: of the weights; null weighs all negatives equally, which is Eq. 14 to the letter.
        halved: take the mean of the two terms, as the RotatE and DHNS codes do; the paper prints their sum.
    """

    def __init__(self, temperature: NotNegative | None = 1.0, halved: bool = True) -> None:
        super().__init__()
        self.temperature = temperature
        self.scale = 0.5 if halved else 1.0

    def terms(self, positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        penalty = softplus(negative) if weight is None else weight * softplus(negative)
        if self.temperature is None:
            negative_loss = penalty.mean(-1)
        else:
            negative_loss = ((self.temperature * negative).detach().softmax(-1) * penalty).sum(-1)
        return self.scale * softplus(-positive).mean(), self.scale * negative_loss.mean()
