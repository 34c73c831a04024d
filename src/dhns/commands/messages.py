"""What a user is told of an exception: one line."""

from __future__ import annotations

import contextlib
import difflib
import errno
import re
import sys
from collections.abc import Iterator
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from dhns.config.composition import groups, of_no_choice, own_files
from dhns.config.known_keys import require_known
from dhns.config.renamed import key_of_today
from dhns.config.trainer_settings import REFUSED
from dhns.errors import InputError
from dhns.resources import conf_dir
from dhns.training.check import check_settings

USER_ERRORS = (InputError, HydraException, OmegaConfBaseException)
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_PATH = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}
_INTERNALS = re.compile(r"\n\s*(?:full_key:|object_type=|Config search path:)")
_PLUGIN = re.compile(r"Could not find 'hydra/(launcher/(?:joblib|submitit_\w+)|sweeper/optuna)'")
_MEMORY = re.compile(
    "allocate memory|out of memory|not enough memory|Storage size calculation overflowed", re.IGNORECASE
)
_UNKNOWN = re.compile(r"Could not override '([^']+)'\.")
_NO_NAME = "Config group override"  # begins a ValueError of Hydra: a choice among files that is no text


def is_told(error: BaseException) -> bool:
    """Whether a user can mend it; anything else is a mistake of the program."""
    if isinstance(error, USER_ERRORS) or str(error).startswith(_NO_NAME):
        return True
    return error.errno in _DISK | _PATH if isinstance(error, OSError) else _lacks_memory(error)


def message(error: BaseException, command: str) -> str:
    """An exception in one line: the `InputError` that it stems from, or what Hydra says without its internals."""
    causes = list(_causes(error))
    if told := next((cause for cause in causes if isinstance(cause, InputError)), None):
        return " ".join(str(told).split())
    if any(map(_lacks_memory, causes)):
        return (
            f"memory is short: {_line(causes[-1])}; lower what the size of a step or of the model is made of, such as "
            "data.batch_size, negatives.num_negatives, scorer.dim or batch_size"
        )
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return _of_file(error)
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} is not given; add {error.full_key}=VALUE"
    text = str(error)
    if plugin := _PLUGIN.search(text):
        extra = "search" if "optuna" in plugin[1] else "sweep"
        return f"hydra/{plugin[1].replace('/', '=')} needs a package that is not installed: pip install 'dhns[{extra}]'"
    if unknown := _UNKNOWN.match(text):
        key = str(next(filter(None, (getattr(cause, "full_key", None) for cause in causes)), unknown[1]))
        return f"there is no setting '{key}'; {_instead(key, command)}"
    if text.startswith(_NO_NAME):
        chosen = [argument for argument in sys.argv[1:] if argument.partition("=")[0] in groups()]
        return f"expected the name of a file in conf/, not null or a number: {' '.join(chosen)}"
    if lacking := of_no_choice(text):
        return lacking
    if isinstance(error, OverrideParseException):
        if "=" not in error.override:
            return f"'{error.override}' is not of the form key=value"
        return f"'{error.override}' cannot be read: {_line(error)}"
    return _line(error)


def _of_file(error: OSError) -> str:
    if error.errno in _PATH:
        return f"{error.filename}: {error.strerror}; give another path"
    where = f"{error.filename} cannot be written" if error.filename else "a file cannot be written"
    return f"{where}: {error.strerror}; mend that, and the same command continues where it was"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _line(error: BaseException) -> str:
    return " ".join(_INTERNALS.split(str(error))[0].split())


def _lacks_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and bool(_MEMORY.search(str(error))))


def _instead(key: str, command: str) -> str:
    """What to do about a setting that does not exist: another name, or a plus where that would be accepted."""
    group, _, name = key.partition(".")
    if group == "trainer" and name in REFUSED:
        return REFUSED[name]
    given = {argument: argument.partition("=")[0] for argument in sys.argv[1:] if re.match(r"[^-].*=", argument)}
    # Hydra names the part of a key that it does not find
    for name in (name.lstrip("+~") for name in given.values()):
        if (now := key_of_today(name)) and f"{name}.".startswith(f"{key}."):
            return f"'{name}' is called '{now}' now"
    asked = [argument for argument, name in given.items() if name == key]
    # a mapping for a group of settings names the key within
    around = [argument for argument, name in given.items() if key.startswith(f"{name}.") and "{" in argument]
    others = [argument for argument in given if argument not in asked + around]
    if asked and (added := _composed(command, *others, *(f"+{argument}" for argument in asked))):
        with contextlib.suppress(InputError):
            require_known(added, command)
            check_settings(added)
            return f"+{key}=VALUE adds it"
    of_runs = [argument for argument, name in given.items() if f"{name}.".startswith(f"{key}.")]
    if command == "reproduce" and of_runs and _composed("train", *of_runs):
        return f'it is one of dhns train: overrides=["{of_runs[0]}"] gives it to every run'
    plain = _composed(command, *others)
    near = difflib.get_close_matches(key, _keys(plain), n=1) if plain else []
    return f"did you mean {near[0]}?" if near else f"dhns {command} --cfg job prints all that there are"


def _composed(command: str, *overrides: str) -> DictConfig | None:
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            return compose(command, overrides=[*overrides, *own_files()])
    except (HydraException, OmegaConfBaseException):
        return None


def _keys(config: DictConfig) -> list[str]:
    def walk(node: Any, prefix: str) -> Iterator[str]:
        for name, child in node.items():
            yield f"{prefix}{name}"
            if isinstance(child, dict):
                yield from walk(child, f"{prefix}{name}.")

    return list(walk(OmegaConf.to_container(config, resolve=False), ""))
