"""Cross-entropy over all entities (Lacroix et al., ICML 2018)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dhns.kernels.chunks import chunk_bytes
from dhns.losses.loss import AllEntityLoss
from dhns.models.batch import EmbeddedQueries
from dhns.ranges import BelowOne
from dhns.scorers.scorer import Scorer


class SoftmaxLoss(AllEntityLoss):
    """``-log softmax(scores)[answer]``, averaged over the positives; a query is scored once for all its answers.

    Args:
        label_smoothing: share of the target that is spread over all entities.
    """

    def __init__(self, label_smoothing: BelowOne = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing

    def terms(self, scorer: Scorer, queries: EmbeddedQueries, table: Tensor) -> tuple[Tensor, Tensor]:
        positive_loss, negative_loss, _ = self.terms_and_normalisers(scorer, queries, table)
        return positive_loss, negative_loss

    def terms_and_normalisers(
        self, scorer: Scorer, queries: EmbeddedQueries, table: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The two terms, and ``(B,)`` log-sum-exp of the scores of the query that each positive answers."""
        scores = queries.score_all(scorer, table)
        answered, normalised, each = _SoftmaxTerms.apply(scores, queries.row, queries.answer)  # type: ignore[no-untyped-call]
        if self.label_smoothing == 0:
            return -answered, normalised, each
        count = queries.row.bincount(minlength=len(scores)).to(scores.dtype)
        spread = count @ scores.mean(1) / len(queries.row)
        return -(1 - self.label_smoothing) * answered - self.label_smoothing * spread, normalised, each


class _SoftmaxTerms(torch.autograd.Function):
    """Mean score of the answers, and log-sum-exp of their queries: its mean, and that of each.

    Scores are read twice, once in the forward and once in the backward pass, in chunks of queries that the cache holds:
    what is made of them in float32 on the way never reaches memory.
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, row: Tensor, answer: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        exact = torch.promote_types(scores.dtype, torch.float32)
        normaliser = scores.new_empty(len(scores), dtype=exact)
        for chunk in _chunks(scores):
            part = scores[chunk].to(exact)
            largest = part.amax(1)
            normaliser[chunk] = (part - largest[:, None]).exp_().sum(1).log_().add_(largest)
        ctx.save_for_backward(scores, normaliser, row, answer)
        each = normaliser[row]
        return scores[row, answer].to(exact).mean(), each.mean(), each

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_answers: Tensor | None, of_mean: Tensor | None, of_each: Tensor | None
    ) -> tuple[Tensor, None, None]:
        scores, normaliser, row, answer = ctx.saved_tensors
        count = normaliser.new_zeros(len(scores))
        if of_mean is not None:
            count += row.bincount(minlength=len(scores)) * (of_mean / len(row))
        if of_each is not None:
            count.index_add_(0, row, of_each)
        dense = torch.empty_like(scores)
        for chunk in _chunks(scores):
            dense[chunk] = torch.sub(scores[chunk], normaliser[chunk, None]).exp_().mul_(count[chunk, None])
        if of_answers is not None:
            share = (of_answers / len(row)).to(dense.dtype)
            dense.index_put_((row, answer), share.expand(len(row)), accumulate=True)
        return dense, None, None


def _chunks(scores: Tensor) -> list[slice]:
    rows = max(1, chunk_bytes(scores) // (4 * scores.shape[1]))
    return [slice(start, start + rows) for start in range(0, len(scores), rows)]
