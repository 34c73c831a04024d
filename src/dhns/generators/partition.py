"""Generated negatives as further candidates of a softmax over all entities."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import softplus

from dhns.errors import InputError
from dhns.generators.hardness_adaptive import GeneratedScores, HardnessAdaptiveLoss
from dhns.generators.levels import HardnessLevel
from dhns.kernels.constants import constant
from dhns.ranges import NotNegative
from dhns.scorers.scorer import Scorer


class Partition(NamedTuple):
    """The softmax of a batch.

    Attributes:
        normaliser: ``(B,)`` log-sum-exp of the scores of all entities, for the query that each positive answers.
        head_side: ``(B,)`` bool, true where that query asks for the head.
    """

    normaliser: Tensor
    head_side: Tensor


class PartitionLoss(HardnessAdaptiveLoss):
    """What a softmax gains by generated candidates: ``log(Z + G) - log Z``, averaged over positives.

    ``Z`` sums ``exp(s)`` over all entities and ``G`` sums ``w_t exp(s_neg + gamma_t - gamma)`` over the levels, for the
    side that the positive's query asks for. With ``generator.weight=1`` the loss of the model is the cross-entropy with
    these candidates among the others; positives are attracted there and need no term here.

    Args:
        similarity_margin: gamma for scorers without a margin.
        adaptive: false gives all levels the full margin.
    """

    needs_partition = True

    def __init__(self, similarity_margin: NotNegative = 0.0, adaptive: bool = True) -> None:
        super().__init__(joint_scoring="fused", similarity_margin=similarity_margin, adaptive=adaptive)

    def terms(
        self,
        positive: Tensor,
        scores: GeneratedScores,
        levels: tuple[HardnessLevel, ...],
        scorer: Scorer,
        partition: Partition | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Zero for the positives, and ``(L,)`` shares of the levels in the loss; see `HardnessAdaptiveLoss.terms`."""
        if partition is None:
            raise InputError("generated negatives join the softmax over all entities: set loss=softmax negatives=all")
        rows = scores.score.shape[2]
        weight = constant((level.weight for level in levels), scores.score)
        side = partition.head_side[:rows].long().expand(len(levels), 1, rows)
        logit = scores.score.gather(1, side)[:, 0] + (self.shifts(levels, scorer, weight) + weight.log())[:, None]
        added = softplus(logit.logsumexp(0) - partition.normaliser[:rows])
        # a level is given its share of what all add; the shares sum to one, and so do not change the gradient
        return torch.zeros_like(weight), (logit.softmax(0) * added).mean(1)
