"""The losses that a run reports."""

from __future__ import annotations

from torch import Tensor


class LossMeans:
    """Means of losses over the positives of an epoch, kept on the device.

    Lightning's own account, ``self.log`` at every step, comes to the same and takes a good part of a small step.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[Tensor, int]] = {}

    def add(self, name: str, loss: Tensor, size: int) -> None:
        """Take a batch of ``size`` positives in, whose loss is a 0-d tensor."""
        total, count = self._sums.get(name, (0.0, 0))
        self._sums[name] = total + loss.detach() * size, count + size

    def take(self) -> dict[str, Tensor]:
        """The mean of each loss, each over the batches that had it; those after are of another epoch."""
        means = {name: total / count for name, (total, count) in self._sums.items()}
        self._sums.clear()
        return means
