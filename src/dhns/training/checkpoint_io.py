"""Checkpoint files as the trainer writes and reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO

from dhns.files import write_bytes


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint is absent, the old one, or complete.

    Lightning's own files come by way of the system's temporary folder; where that is another file system, moving them
    is a copy, which a kill or a full disk cuts short under the final name.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(Path(path), content.getbuffer())


def plugins() -> list[Any]:
    """Of a trainer: whole checkpoints and, under Slurm, none that Lightning takes in the middle of an epoch.

    It would do so on Slurm's warning, and go on from there with other batches than the unbroken run.
    """
    # torchrun may itself be started by Slurm
    by_slurm = SLURMEnvironment.detect() and not TorchElasticEnvironment.detect()
    slurm = [SLURMEnvironment(auto_requeue=False)] if by_slurm else []
    return [AtomicCheckpointIO(), *slurm]
