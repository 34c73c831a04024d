"""The model that ``checkpoint=`` names, for the commands that use one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

if TYPE_CHECKING:
    from dhns.training.module import LinkPredictionModule


def load(config: DictConfig) -> LinkPredictionModule:
    """The trained module, on the device of the settings, with its graph from where the settings say."""
    from dhns.training.checkpoint import load_module
    from dhns.training.device import choose_device

    moved = {str(key): value for key, value in config.dataset.items() if value}
    return load_module(Path(config.checkpoint).expanduser(), choose_device(config.device), moved, config.trust)
