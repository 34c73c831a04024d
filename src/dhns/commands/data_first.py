"""The data set of a command is there before anything else happens."""

from __future__ import annotations

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from dhns.errors import InputError


def data_first(config: DictConfig) -> None:
    """Fetch the chosen data set if it is a published one and not there.

    Raises:
        InputError: it is not there, and was not fetched.
    """
    from dhns.sources.obtain import NotThere, other_ways, published, require_dataset

    if (source := published(HydraConfig.get().runtime.choices["dataset"], config.dataset)) is None:
        return
    try:
        require_dataset(source, config.dataset, config.mirror, may_fetch(config))
    except NotThere as reason:
        raise InputError(f"{reason}, {other_ways([source.dataset])}; dataset=world_flags needs no download") from None


def may_fetch(config: DictConfig) -> bool:
    """The setting ``download``, which is read before settings are checked.

    Raises:
        InputError: it is not true or false.
    """
    if not isinstance(config.download, bool):
        raise InputError(f"download is '{config.download}'; expected true or false (DHNS_DOWNLOAD gives it to all)")
    return config.download
