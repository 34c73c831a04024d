"""What torchrun or Slurm says of a process that it has started."""

from __future__ import annotations

from typing import NamedTuple

from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment


class Launched(NamedTuple):
    """What a launcher says of this process: its number, and that of all."""

    rank: int
    size: int


def launched() -> Launched | None:
    """By torchrun or Slurm, with others; None for a process that works alone or starts others itself."""
    kinds: tuple[type[ClusterEnvironment], ...] = (TorchElasticEnvironment, SLURMEnvironment)
    for kind in kinds:
        if kind.detect():
            found = kind()
            return Launched(found.global_rank(), found.world_size()) if found.world_size() > 1 else None
    return None
