"""What every command shares: the configuration tree, the resolvers, and errors in one line."""

from __future__ import annotations

import errno
import functools
import logging
import os
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from dhns.errors import InputError
from dhns.interruption import Stopped
from dhns.names import base_name, plain_name
from dhns.resources import conf_dir, embedded_dir

Task = Callable[[DictConfig], Any]
USER_ERRORS = (InputError, HydraException, OmegaConfBaseException)
DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
_INTERNALS = re.compile(r"\n\s*(?:full_key:|object_type=|Config search path:)")
_PLUGIN = re.compile(r"Could not find 'hydra/(launcher/(?:joblib|submitit_\w+)|sweeper/optuna)'")
_UNKNOWN = re.compile(r"Could not override '([^']+)'\.")


def register_resolvers() -> None:
    """What configurations refer to.

    ``${dhns.embedded:}`` is the folder of the embedded data set, ``${dhns.hash:}`` the identity of a run, and
    ``${dhns.interval:EPOCHS,TIMES}`` how many epochs lie between events that come so many times, evenly spaced.
    ``${dhns.plain:NAME}`` is a name that may be one part of a path, and ``${dhns.base:KEY}`` the name of the folder or
    file that the setting KEY beside it leads to.
    """
    OmegaConf.register_new_resolver("dhns.embedded", lambda: str(embedded_dir()), replace=True)
    OmegaConf.register_new_resolver("dhns.hash", _hash, replace=True)
    OmegaConf.register_new_resolver("dhns.interval", _interval, replace=True)
    OmegaConf.register_new_resolver("dhns.plain", lambda name: plain_name(str(name)), replace=True)
    OmegaConf.register_new_resolver("dhns.base", _base, replace=True)


def _hash(*, _root_: DictConfig) -> str:
    from dhns.results.config_hash import config_hash

    return config_hash(_root_)


def _base(key: str, *, _parent_: DictConfig) -> str:
    # a path that is not given is told where it is needed
    return "unnamed" if OmegaConf.is_missing(_parent_, key) else base_name(str(_parent_[key]))


def _interval(epochs: Any, times: int) -> int:
    # what is no number is refused where settings are checked
    return max(1, epochs // times) if isinstance(epochs, int) else 1


def app(name: str, first: Task | None = None) -> Callable[[Task], Callable[[], None]]:
    """Make a Hydra app of a function of the configuration composed from ``conf/<name>.yaml``.

    What ``first`` does comes before the check of the settings, which imports what they name and takes seconds.

    Bad input ends the program with one line and status 2: an `InputError`, however deep inside Hydra's own exceptions,
    a setting that does not exist, a value of the wrong kind. In a sweep it fails its job alone. Anything else is a
    mistake of the program, and shows its traceback.
    """

    def decorate(task: Task) -> Callable[[], None]:
        @functools.wraps(task)
        def guarded(config: DictConfig) -> Any:
            from dhns.commands.check import check_settings

            try:
                if first is not None:
                    first(config)
                check_settings(config)
                return task(config)
            except Exception as error:
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    raise _job_error(error) from None
                if isinstance(error, USER_ERRORS):
                    _fail(error)
                raise

        def run() -> None:
            register_resolvers()
            # Hydra would print its errors over many lines, and cut the traceback of others
            os.environ.setdefault("HYDRA_FULL_ERROR", "1")
            # a log that cannot be written is no reason to end, or to print tracebacks
            logging.raiseExceptions = False
            try:
                hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=name)(guarded)()
            except USER_ERRORS as error:
                _fail(error)
            except OSError as error:
                if error.errno not in DISK_ERRORS:
                    raise
                _fail(error)
            except Stopped as stop:
                print(f"stopped by {stop}; the same command continues where it was", file=sys.stderr)
                sys.exit(stop.status)

        return run

    return decorate


def _job_error(error: Exception) -> Exception:
    """Put an error into the job's log, and make it one that every launcher can carry from process to process."""
    log = logging.getLogger(__name__)
    if isinstance(error, USER_ERRORS):
        log.error(_message(error))
        return InputError(_message(error))
    log.error("failed", exc_info=error)
    return RuntimeError(f"{type(error).__name__}: {' '.join(str(error).split())}")


def _fail(error: BaseException) -> NoReturn:
    logging.getLogger(__name__).debug("details", exc_info=error)
    print(f"error: {_message(error)}", file=sys.stderr)
    sys.exit(2)


def _message(error: BaseException) -> str:
    """An exception in one line: the `InputError` that it stems from, or what Hydra says without its internals."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return " ".join(str(cause).split())
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        where = f"{error.filename} cannot be written" if error.filename else "a file cannot be written"
        return f"{where}: {error.strerror}; mend that, and the same command continues where it was"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not given; add {error.full_key}=VALUE"
    if plugin := _PLUGIN.search(str(error)):
        extra = "search" if "optuna" in plugin[1] else "sweep"
        return f"hydra/{plugin[1].replace('/', '=')} needs a package that is not installed: pip install 'dhns[{extra}]'"
    if unknown := _UNKNOWN.match(str(error)):
        key = unknown[1]
        return f"there is no setting '{key}'; --cfg job prints all that there are, +{key}=VALUE would add it"
    text = " ".join(_INTERNALS.split(str(error))[0].split())
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' cannot be read: {text}"
    return text
