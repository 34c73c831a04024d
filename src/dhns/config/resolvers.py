"""What settings may refer to, beyond each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.config.identity import config_hash
from dhns.config.known_keys import require_known
from dhns.config.own_settings import check_own
from dhns.errors import InputError
from dhns.names import base_name, plain_name
from dhns.resources import embedded_dir


def register_resolvers() -> None:
    """Have OmegaConf know them; stored settings cannot be read without.

    ``${dhns.embedded:}`` is the folder of the embedded data set, ``${dhns.hash:}`` the identity of a run, and
    ``${dhns.interval:EPOCHS,TIMES}`` how many epochs lie between events that come so many times, evenly spaced.
    ``${dhns.plain:NAME}`` is a name that may be one part of a path, ``${dhns.base:KEY}`` the name of the folder or file
    that the setting KEY beside it leads to, and ``${dhns.folder:PATH}`` a folder for Hydra's files.
    """
    OmegaConf.register_new_resolver("dhns.embedded", lambda: str(embedded_dir()), replace=True)
    OmegaConf.register_new_resolver("dhns.hash", _hash, replace=True)
    OmegaConf.register_new_resolver("dhns.interval", _interval, replace=True)
    OmegaConf.register_new_resolver("dhns.plain", lambda name: plain_name(str(name)), replace=True)
    OmegaConf.register_new_resolver("dhns.base", _base, replace=True)
    OmegaConf.register_new_resolver("dhns.folder", _folder, replace=True)


def _hash(*, _root_: DictConfig) -> str:
    # Hydra asks for the folder of a run before the command can look at its settings
    if "content" not in _root_:  # which a graph in memory adds
        require_known(_root_, "train")
    check_own(_root_)
    return config_hash(_root_)


def _base(key: str, *, _parent_: DictConfig) -> str:
    # a path that is not given is told where it is needed
    return "unnamed" if OmegaConf.is_missing(_parent_, key) else base_name(str(_parent_[key]))


def _interval(epochs: Any, times: Any) -> int:
    # what is no number is refused where settings are checked
    return max(1, epochs // times) if isinstance(epochs, int) and isinstance(times, int) and times > 0 else 1


def _folder(path: str) -> str:
    # Hydra reads references in the folder of a run, and Lightning addresses
    if signs := [sign for sign in ("${", "::", "://") if sign in f"{path} {Path(path).absolute()}"]:
        raise InputError(f"'{path}' cannot hold a run: a path with {signs[0]} in it means something else; give another")
    return path
