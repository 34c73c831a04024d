"""Lightning's Trainer, as a run needs it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from hydra.utils import instantiate
from lightning_fabric.utilities.exceptions import MisconfigurationException

from dhns.errors import InputError
from dhns.training.distributed import DataParallel
from dhns.training.launcher import launched
from dhns.training.quiet import quiet_lightning


def make_trainer(settings: Mapping[str, Any], validated: bool, **options: Any) -> pl.Trainer:
    """The trainer of the settings under ``trainer``.

    Args:
        settings: see `dhns.config.trainer_settings`.
        validated: a validation, not the last epoch, chooses the checkpoint that is ranked.
        options: further arguments of the trainer.

    Raises:
        InputError: this machine or Lightning refuses a setting, or the training would end before there is a checkpoint
            to rank.
    """
    epochs, every = settings["max_epochs"], settings["check_val_every_n_epoch"]
    if validated and epochs < every:
        raise InputError(
            f"trainer.max_epochs is {epochs}, and the first validation comes after epoch {every} "
            "(trainer.check_val_every_n_epoch): there would be no checkpoint to rank; train longer or validate earlier"
        )
    quiet_lightning()
    try:
        trainer = pl.Trainer(**instantiate(settings, _convert_="all"), **options, use_distributed_sampler=False)
    except (MisconfigurationException, ValueError, TypeError, ImportError) as error:
        raise InputError(f"the settings under 'trainer' do not work here: {error}") from error
    if trainer.world_size > 1 and not isinstance(trainer.strategy, DataParallel):
        raise InputError(
            f"trainer.devices asks for {trainer.world_size} devices on {trainer.num_nodes} machine(s); add trainer=ddp "
            "to train one run on several, or start one run per device (docs/sweeps.md)"
        )
    if trainer.num_nodes > 1 and launched() is None:
        raise InputError(
            f"trainer.num_nodes is {trainer.num_nodes}, and nothing has started this command on other machines: start "
            "it on each by torchrun or srun (docs/clusters.md), or set trainer.num_nodes=1"
        )
    return trainer
