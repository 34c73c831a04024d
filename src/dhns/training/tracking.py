"""What a run shows beyond the metrics that its module logs."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from dhns.tracking.tracker import Tracker
from dhns.training.hardness import score_samples
from dhns.training.module import LinkPredictionModule
from dhns.training.tracked_content import COLUMNS, prediction_rows


class ShowProgress(Callback):
    """Settings and fingerprints once, learning rates per epoch, score distributions and predictions per validation.

    Lightning's LearningRateMonitor would call the rates ``lr-Adam`` and ``lr-Adam-1``, in an order that changes with
    which of them has a schedule.

    Args:
        tracker: where they go.
        settings: see `dhns.training.tracked_content.shown_settings`.
        triples: of validation, evenly spaced, whose tails and heads are asked for.
        answers: shown per query.
    """

    def __init__(self, tracker: Tracker, settings: dict[str, Any], triples: int = 8, answers: int = 10) -> None:
        self.tracker = tracker
        self.settings = settings
        self.triples = triples
        self.answers = answers

    def on_fit_start(self, trainer: pl.Trainer, pl_module: LinkPredictionModule) -> None:  # type: ignore[override]
        self.tracker.log_hyperparams(self.settings | {"fingerprints": pl_module.fingerprints})

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: LinkPredictionModule) -> None:  # type: ignore[override]
        names = {part: name for name, part in pl_module.named_children()}
        for (owner, _), optimizer in zip(pl_module.trained, trainer.optimizers, strict=True):
            pl_module.log(f"lr/{names[owner]}", optimizer.param_groups[0]["lr"], on_step=False, on_epoch=True)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: LinkPredictionModule) -> None:  # type: ignore[override]
        self._show(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: LinkPredictionModule) -> None:  # type: ignore[override]
        if trainer.limit_val_batches == 0:
            pl_module.eval()
            self._show(trainer, pl_module)

    # what is cached meanwhile must be of use to training
    @torch.inference_mode(mode=False)
    @torch.no_grad()
    def _show(self, trainer: pl.Trainer, module: LinkPredictionModule) -> None:
        if not trainer.is_global_zero or self.tracker.broken:
            return
        step = module.batches_seen - 1  # that of the metrics of this validation
        valid = module.graph.valid
        with self.tracker.guard():
            if module.generator is not None:
                samples = {f"hardness/{name}": score.float() for name, score in score_samples(module, valid).items()}
                finite = {name: score[score.isfinite()].numpy() for name, score in samples.items()}
                self.tracker.log_histograms({name: score for name, score in finite.items() if len(score)}, step)
            chosen = valid[torch.linspace(0, len(valid) - 1, min(self.triples, len(valid))).long()]
            self.tracker.log_table("predictions", COLUMNS, prediction_rows(module, chosen, self.answers), step)
