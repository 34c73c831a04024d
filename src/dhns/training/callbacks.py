"""Callbacks of a run: what is saved, when it stops, what is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, RichProgressBar

from dhns.config.starting_points import BEST, LAST


def checkpoints(folder: Path, select_best: bool, patience: int | None) -> list[Callback]:
    """The last state after every epoch, for resuming; and, if validation selects, the best one and early stopping."""
    last = MovableCheckpoint(
        folder,
        filename=LAST,
        save_top_k=1,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    if not select_best:
        return [last]
    best = MovableCheckpoint(folder, filename=BEST, monitor="valid/mrr", mode="max", enable_version_counter=False)
    stopping = [EarlyStoppingThatHolds("valid/mrr", mode="max", patience=patience)] if patience is not None else []
    return [best, *stopping, last]


class MovableCheckpoint(ModelCheckpoint):
    """Remembers the best score also where the run's folder has been moved, and no folder of the machine."""

    def state_dict(self) -> dict[str, Any]:
        return dict(_moved(super().state_dict(), str(self.dirpath), "."))

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(_moved(state_dict, str(state_dict["dirpath"]), str(self.dirpath)))


def _moved(node: Any, old: str, new: str) -> Any:
    """Nested dictionaries with another beginning of paths."""
    if isinstance(node, dict):
        return {_moved(key, old, new): _moved(value, old, new) for key, value in node.items()}
    return new + node[len(old) :] if isinstance(node, str) and node.startswith(old) else node


class EarlyStoppingThatHolds(EarlyStopping):
    """Early stopping that holds: a run that it had ended, and that was stopped while ranking, trains no further."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = self.wait_count >= self.patience


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
