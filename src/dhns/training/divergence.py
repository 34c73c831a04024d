"""The guard against training that has diverged."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from dhns.errors import InputError

EVERY = 50
"""Batches from one look at the loss to the next; each makes the processor wait for the accelerator."""


class DivergenceGuard(Callback):
    """Ends a run whose loss or parameters are NaN or infinite, before they are validated or saved.

    Raises:
        InputError: names the epoch and the batch in which the loss was first so.
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._first = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        at = torch.where(loss.isfinite(), torch.inf, batch_idx)
        self._first = at if self._first is None else torch.minimum(self._first, at)
        if trainer.is_last_batch or batch_idx % EVERY == 0:
            self._check(trainer)
        if trainer.is_last_batch and not all(bool(p.isfinite().all()) for p in pl_module.parameters()):
            raise InputError(_message(trainer, "some parameters are", batch_idx))

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """What NaN has broken elsewhere is told as what it is."""
        if isinstance(exception, Exception):
            self._check(trainer)

    def _check(self, trainer: pl.Trainer) -> None:
        if self._first is not None and self._first.isfinite():
            raise InputError(_message(trainer, "the loss is", int(self._first)))


def _message(trainer: pl.Trainer, what: str, batch: int) -> str:
    kept = "; the checkpoints are those of the epochs before" if trainer.current_epoch else ""
    return (
        f"training has diverged: {what} NaN or infinite in epoch {trainer.current_epoch + 1}, batch {batch + 1}{kept}. "
        "Lower the learning rate (optimization.optimizer.lr) or clip the gradients (optimization.clip_norm)"
    )
