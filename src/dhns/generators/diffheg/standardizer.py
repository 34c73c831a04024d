"""Standardisation of embeddings, so that unit noise is of the size of what it is mixed with."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningStandardizer(nn.Module):
    """Keeps running means and deviations per view and coordinate, and maps to unit variance and back.

    Embeddings of a distance scorer have deviations near 0.02; mixed with unit noise they vanish, a generator never
    finds their scale, and its negatives lie far outside of every margin.

    Args:
        views, width: of the embeddings ``(views, ..., width)``.
        momentum: share of the new batch in the running statistics.
        enabled: false leaves everything as it is, as in the paper and its code.
    """

    mean: Tensor
    deviation: Tensor
    started: Tensor

    def __init__(self, views: int, width: int, momentum: float = 0.05, enabled: bool = True) -> None:
        super().__init__()
        self.momentum, self.enabled = momentum, enabled
        self.register_buffer("mean", torch.zeros(views, width))
        self.register_buffer("deviation", torch.ones(views, width))
        self.register_buffer("started", torch.zeros(views, 1, dtype=torch.bool))

    @torch.no_grad()
    def update(self, batch: Tensor, present: Tensor) -> None:
        """Take a batch ``(views, rows, width)`` into account, rows masked by ``present`` ``(views, rows)``.

        A view of which the batch has fewer than two rows keeps its statistics: there is no deviation to learn from.
        """
        if not self.enabled:
            return
        weight = present[..., None].to(batch.dtype)
        count = weight.sum(1)
        mean = (batch * weight).sum(1) / count.clamp(min=1)
        variance = ((batch - mean[:, None]).square() * weight).sum(1) / count.clamp(min=1)
        enough = count > 1
        share = torch.where(self.started, self.momentum, 1.0) * enough
        self.mean.lerp_(mean, share)
        self.deviation.lerp_(variance.sqrt().clamp(min=1e-6), share)
        self.started |= enough

    def standardize(self, value: Tensor) -> Tensor:
        """``(views, ..., width)`` embeddings to zero mean and unit variance."""
        return (value - self._shaped(self.mean, value)) / self._shaped(self.deviation, value) if self.enabled else value

    def restore(self, value: Tensor) -> Tensor:
        """The inverse of `standardize`."""
        return value * self._shaped(self.deviation, value) + self._shaped(self.mean, value) if self.enabled else value

    @staticmethod
    def _shaped(statistic: Tensor, like: Tensor) -> Tensor:
        return statistic.view(statistic.shape[0], *[1] * (like.ndim - 2), statistic.shape[1])
