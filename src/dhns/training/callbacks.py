"""Callbacks of a run: what is saved, when it stops, what is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar

BEST, LAST = "best", "last"


def checkpoints(folder: Path, select_best: bool, patience: int | None) -> list[Callback]:
    """The last state after every epoch, for resuming; and, if validation selects, the best one and early stopping."""
    last = ModelCheckpoint(
        folder,
        filename=LAST,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    if not select_best:
        return [last]
    best = ModelCheckpoint(folder, filename=BEST, monitor="valid/mrr", mode="max", enable_version_counter=False)
    stopping = [EarlyStopping("valid/mrr", mode="max", patience=patience)] if patience is not None else []
    return [best, *stopping, last]


def progress(enabled: bool) -> list[Callback]:
    """A bar on a terminal, a line per validation elsewhere."""
    if not enabled:
        return []
    return [RichProgressBar(leave=False)] if sys.stdout.isatty() else [ValidationLines()]


class ValidationLines(Callback):
    """Prints one line per epoch that was validated."""

    def __init__(self) -> None:
        self.validated = False

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validated = True

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not (self.validated and trainer.is_global_zero):
            return
        self.validated = False
        metrics: dict[str, Any] = trainer.callback_metrics
        print(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} · loss {metrics['train/loss']:.4f} · "
            f"valid MRR {100 * metrics['valid/mrr']:.2f} Hits@10 {100 * metrics['valid/hits@10']:.2f}",
            flush=True,
        )
