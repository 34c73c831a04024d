"""Cross-entropy over all entities (Lacroix et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from dhns.losses.loss import AllEntityLoss, Queries
from dhns.scorers.scorer import Scorer


class SoftmaxLoss(AllEntityLoss):
    """``-log softmax(scores)[answer]``, averaged over the positives; a query is scored once for all its answers.

    Args:
        label_smoothing: share of the target that is spread over all entities.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def terms(self, scorer: Scorer, queries: Queries, table: Tensor) -> tuple[Tensor, Tensor]:
        scores = scorer.score_all(queries.entity, queries.relation, queries.head_side, table)
        answered, normalised = _SoftmaxTerms.apply(scores, queries.row, queries.answer)  # type: ignore[no-untyped-call]
        if self.label_smoothing == 0:
            return -answered, normalised
        count = queries.row.bincount(minlength=len(scores)).to(scores.dtype)
        spread = count @ scores.mean(1) / len(queries.row)
        return -(1 - self.label_smoothing) * answered - self.label_smoothing * spread, normalised


class _SoftmaxTerms(torch.autograd.Function):
    """Mean score of the answers, and mean log-sum-exp of their queries, with one dense pass in the backward."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, row: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
        exact = scores.to(torch.promote_types(scores.dtype, torch.float32))
        normaliser = exact.logsumexp(1)
        ctx.save_for_backward(scores, normaliser, row, answer)
        return exact[row, answer].mean(), normaliser[row].mean()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        scores, normaliser, row, answer = ctx.saved_tensors
        of_answers, of_normaliser = (gradient / len(row) for gradient in gradients)
        count = row.bincount(minlength=len(scores)) * of_normaliser
        dense = torch.sub(scores, normaliser[:, None]).exp_().mul_(count[:, None])
        dense.index_put_((row, answer), of_answers.to(dense.dtype).expand(len(row)), accumulate=True)
        return dense.to(scores.dtype), None, None
