"""Settings composed outside of a command: in a notebook, in a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.resources import conf_dir


def composed(command: str, choices: Mapping[str, str], settings: Mapping[str, Any]) -> DictConfig:
    """The configuration of a command.

    Args:
        command: its file in ``conf/``.
        choices: files by group, such as ``{"model": "rotate"}``.
        settings: values by dotted key, such as ``{"scorer.dim": 64}``; plain values, not text in Hydra's grammar.

    Raises:
        InputError: a choice or a setting does not exist.
    """
    for group, choice in choices.items():
        if choice is None:
            raise InputError(f"{group}=None chooses no file of conf/{group}; leave it out for the default, or name one")
    register_resolvers()
    state = Singleton.get_state()  # a program that is a Hydra app itself keeps its own
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            config = compose(command, [f"{group}={choice}" for group, choice in choices.items()])
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(" ".join(str(error).split())) from None
    finally:
        Singleton.set_state(state)
    for key, value in settings.items():
        holder, _, name = key.rpartition(".")
        node = OmegaConf.select(config, holder) if holder else config
        try:
            if not isinstance(node, DictConfig):
                raise InputError(f"there is no setting '{key}': '{holder}' holds none")
            # what a _target_ takes beyond its file is compared with its signature later
            with open_dict(node):
                if name not in node and "_target_" not in node:
                    raise InputError(
                        f"there is no setting '{key}'; {holder or command} has {', '.join(map(str, node))}"
                    )
                node[name] = value
        except OmegaConfBaseException as error:
            raise InputError(f"{key}: {' '.join(str(error).split())}") from None
    return config


def groups() -> frozenset[str]:
    """Names of the groups of choices in ``conf/``."""
    return frozenset(path.name for path in conf_dir().iterdir() if path.is_dir())
