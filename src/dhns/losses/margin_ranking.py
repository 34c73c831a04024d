"""The margin ranking loss (Bordes et al., NeurIPS 2013)."""

from __future__ import annotations

from torch import Tensor

from dhns.losses.loss import SampledLoss
from dhns.ranges import NotNegative


class MarginRankingLoss(SampledLoss):
    """``max(0, margin - positive + negative)``, averaged over negatives and positives.

    The margin of the scorer cancels. A pair that the margin separates has no gradient, so both terms count the others
    only.

    Args:
        margin: by how much a positive has to outscore its negatives.
    """

    def __init__(self, margin: NotNegative = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def terms(self, positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        positive_loss, negative_loss = -positive[:, None], self.margin + negative
        violated = (positive_loss + negative_loss).detach() > 0
        share = violated.to(negative.dtype) if weight is None else violated * weight
        return (share * positive_loss).mean(), (share * negative_loss).mean()
