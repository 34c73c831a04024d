"""The model that ``checkpoint=`` names, for the commands that use one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

if TYPE_CHECKING:
    from dhns.training.ranker import Ranker


def load(config: DictConfig) -> Ranker:
    """The trained module or blend, on the device of the settings, with its graph from where the settings say."""
    from dhns.sharing.hub import fetched
    from dhns.training.blend import load_ranker
    from dhns.training.device import choose_device

    moved = {str(key): value for key, value in config.dataset.items() if value}
    return load_ranker(fetched(config.checkpoint), choose_device(config.device), moved, config.trust)
