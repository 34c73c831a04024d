"""What every command shares: the configuration tree, the resolvers, and errors in one line."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from dhns.errors import InputError
from dhns.interruption import Stopped, end_silently
from dhns.names import base_name, plain_name
from dhns.progress import showing_progress
from dhns.resources import conf_dir, embedded_dir

Task = Callable[[DictConfig], Any]


def register_resolvers() -> None:
    """What configurations refer to.

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
    from dhns.commands.check import check_own
    from dhns.commands.known_keys import require_known
    from dhns.results.config_hash import config_hash

    # Hydra asks for the folder of a run before the command can look at its settings
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


def app(name: str, first: Task | None = None) -> Callable[[Task], Callable[[], None]]:
    """Make a Hydra app of a function of the configuration composed from ``conf/<name>.yaml``.

    What ``first`` does comes before the check of the settings, which imports what they name and takes seconds.

    Bad input ends the program with one line and status 2: an `InputError`, however deep inside Hydra's own exceptions,
    a setting that does not exist, a value of the wrong kind, a file that cannot be written. In a sweep it fails its job
    alone. Anything else is a mistake of the program, and shows its traceback.
    """

    def decorate(task: Task) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            from dhns.commands.check import check_settings
            from dhns.commands.known_keys import require_complete, require_known

            try:
                require_known(config, name)
                require_complete(config, name)
                if first is not None:
                    first(config)
                check_settings(config)
                with showing_progress(config.get("progress", True)):
                    return task(config)
            except BrokenPipeError:
                end_silently()
            except Exception as error:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    raise _job_error(error, name) from None
                _fail(error, name)

        def run() -> None:
            register_resolvers()
            # Hydra would print its errors over many lines, and cut the traceback of others
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            # a log that cannot be written is no reason to end, or to print tracebacks
            logging.raiseExceptions = False
            try:
                hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(guarded)()
            except BrokenPipeError:
                raise
            except Exception as error:
                _fail(error, name)
            except Stopped as stop:
                print(f"stopped by {stop}; the same command continues where it was", file=sys.stderr)
                sys.exit(stop.status)

        return run

    return decorate


def _job_error(error: Exception, command: str) -> Exception:
    """Put an error into the job's log, and make it one that every launcher can carry from process to process."""
    from dhns.commands.messages import is_told, message

    log = logging.getLogger(__name__)
    if is_told(error):
        log.error(message(error, command))
        return InputError(message(error, command))
    log.error("failed", exc_info=error)
    return RuntimeError(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _fail(error: Exception, command: str) -> NoReturn:
    """End the program with one line, if the error is one that a user can mend."""
    from dhns.commands.messages import is_told, message

    if not is_told(error):
        raise error
    logging.getLogger(__name__).debug("details", exc_info=error)
    print(f"error: {message(error, command)}", file=sys.stderr)
    sys.exit(2)
