"""What every command shares: the configuration tree, the resolvers, and errors in one line."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.errors import InputError
from dhns.resources import conf_dir, embedded_dir

Task = Callable[[DictConfig], Any]


def register_resolvers() -> None:
    """``${dhns.embedded:}`` is the folder of the embedded data set, ``${dhns.hash:}`` the identity of a run."""
    OmegaConf.register_new_resolver("dhns.embedded", lambda: str(embedded_dir()), replace=True)
    OmegaConf.register_new_resolver("dhns.hash", _hash, replace=True)


def _hash(*, _root_: DictConfig) -> str:
    from dhns.results.config_hash import config_hash

    return config_hash(_root_)


def app(name: str) -> Callable[[Task], Callable[[], None]]:
    """Make a Hydra app of a function of the configuration composed from ``conf/<name>.yaml``.

    `InputError`, however deep inside Hydra's own exceptions, ends the program with one line and status 2; in a sweep it
    fails the job alone.
    """

    def decorate(task: Task) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            try:
                return task(config)
            except (InputError, InstantiationException, OmegaConfBaseException) as error:
                message = _message(error)
                if message is None or HydraConfig.get().mode == RunMode.MULTIRUN:
                    raise
                logging.getLogger(__name__).debug("details", exc_info=True)
                print(f"error: {message}", file=sys.stderr)
                sys.exit(2)

        register_resolvers()
        run: Callable[[], None] = hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(guarded)
        return run

    return decorate


def _message(error: BaseException) -> str | None:
    """The user's mistake behind an exception, or None if it is the program's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return " ".join(str(error).split())
