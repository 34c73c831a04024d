"""What every command shares: the configuration tree, the resolvers, and errors in one line."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from dhns.compat import composing_once, composing_quickly
from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError, ToldElsewhere
from dhns.interruption import Stopped, end_silently
from dhns.progress import showing_progress
from dhns.resources import conf_dir

Task = Callable[[DictConfig], Any]


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
            from dhns.config.known_keys import require_complete, require_known
            from dhns.training.check import check_settings

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
                with composing_once(), composing_quickly():
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
    if isinstance(error, ToldElsewhere):
        sys.exit(2)
    print(f"error: {message(error, command)}", file=sys.stderr)
    sys.exit(2)
