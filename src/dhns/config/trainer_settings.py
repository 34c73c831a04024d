"""What of Lightning's Trainer a run leaves to its settings."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from dhns.ranges import Count, Whole


class TrainerSettings(TypedDict, total=False):
    """Arguments of `pytorch_lightning.Trainer` with which every run ends in a result."""

    accelerator: str
    devices: int | str | list[int]
    num_nodes: Count
    strategy: Literal["auto"] | dict[str, Any]
    # not 16-mixed: with a fused optimizer Lightning unscales gradients after optimization.clip_norm has seen them
    precision: Literal["32-true", "bf16-mixed"]
    max_epochs: Count
    check_val_every_n_epoch: Count
    log_every_n_steps: Whole
    num_sanity_val_steps: Whole
    deterministic: bool | Literal["warn"]
    benchmark: bool | None
    detect_anomaly: bool
    profiler: Literal["simple", "advanced"] | None
    enable_model_summary: bool


_LENGTH = "the length of a training is trainer.max_epochs, or budget=smoke|short|full"
_GRADIENTS = "the module steps its optimizers itself; optimization.clip_norm clips the model's gradients"
REFUSED = {
    **dict.fromkeys(("gradient_clip_val", "gradient_clip_algorithm"), _GRADIENTS),
    "accumulate_grad_batches": "the module steps its optimizers itself; set data.batch_size",
    **dict.fromkeys(("max_steps", "min_steps", "max_time", "limit_train_batches", "overfit_batches"), _LENGTH),
    "fast_dev_run": "it leaves no checkpoint to rank; budget=smoke is a quick run",
    "min_epochs": "stopping.patience=null never stops early",
    "val_check_interval": "validation comes after whole epochs; set trainer.check_val_every_n_epoch",
    "limit_val_batches": "set data.valid_triples",
    "enable_progress_bar": "set progress=false",
    **dict.fromkeys(("enable_checkpointing", "barebones"), "a run resumes from its checkpoints, and ranks one of them"),
    "logger": "choose logger=csv|tensorboard|wandb|none",
    "default_root_dir": "set run_dir",
} | dict.fromkeys(
    (
        "callbacks", "enable_autolog_hparams", "inference_mode", "limit_predict_batches", "limit_test_batches",
        "model_registry", "plugins", "reload_dataloaders_every_n_epochs", "sync_batchnorm", "use_distributed_sampler",
    ),
    "a run leaves it as it is",
)  # fmt: skip
"""What a user may look for, and where it is."""
