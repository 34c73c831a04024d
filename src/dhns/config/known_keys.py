"""Every setting of a command is one that its files in ``conf/`` have, or one that a ``_target_`` takes."""

from __future__ import annotations

import difflib
import functools
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.config.renamed import key_of_today
from dhns.errors import InputError
from dhns.resources import conf_dir, conf_dirs


def require_known(config: DictConfig, command: str) -> None:
    """Refuse a setting that nothing would read.

    What lies under a ``_target_``, and under ``trainer``, is compared with its arguments elsewhere
    (`dhns.training.check`). A mapping that is empty or null in ``conf/`` holds whatever a user puts there.

    Raises:
        InputError: there is one; the message names it.
    """
    _require(_plain(config), _tree(command, conf_dirs())[1], "", f"dhns {command}")


def require_complete(config: DictConfig, command: str) -> None:
    """Raise `InputError` if a setting that the command reads itself was taken away, or is a text without letters."""
    _require_all(_plain(config), _tree(command, conf_dirs())[0], "", f"dhns {command}")


@functools.cache
def _tree(command: str, folders: tuple[Path, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the file of a command holds itself, and that with what it may choose."""
    own = _read(conf_dir() / f"{command}.yaml")
    own.pop("hydra")
    entries = [name for entry in own.pop("defaults") if isinstance(entry, dict) for name in entry]
    groups = [name.removeprefix("optional ").partition("@")[0] for name in entries if not name.startswith("override ")]
    options = {name: keys for name in groups if (keys := _options(name, folders)) is not None}
    return own, options | own


def _options(group: str, folders: tuple[Path, ...]) -> dict[str, None] | None:
    """What the files of a group hold; None for a group of choices that change the settings of others."""
    files = sorted(file for folder in folders for file in (folder / group).rglob("*.yaml"))
    if any(file.read_text(encoding="utf-8").startswith("# @package _global_") for file in files):
        return None
    return {key: None for file in files for key in _read(file)}


def _require(settings: dict[str, Any], known: dict[str, Any], prefix: str, reader: str) -> None:
    for name, value in settings.items():
        if name not in known:
            if now := key_of_today(f"{prefix}{name}"):
                raise InputError(f"{prefix}{name} is no setting of {reader}; it is called {now} now")
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"{reader} --cfg job prints all that there are"
            raise InputError(f"{prefix}{name} is no setting of {reader}; {hint}")
        if not (isinstance(known[name], dict) and known[name]):
            continue
        if not isinstance(value, dict):
            raise InputError(f"{prefix}{name} is {value!r}; set what is in it: {', '.join(map(str, known[name]))}")
        if "_target_" not in value and name != "trainer":
            _require(value, known[name], f"{prefix}{name}.", reader)


def _require_all(settings: dict[str, Any], needed: dict[str, Any], prefix: str, reader: str) -> None:
    for name, value in needed.items():
        if name not in settings:
            raise InputError(f"{reader} needs {prefix}{name}; leave out ~{prefix}{name}")
        if value in (None, "???") and settings[name] == "":
            raise InputError(f"{prefix}{name} is empty; give it a value, or leave out {prefix}{name}=")
        if isinstance(value, dict) and isinstance(settings[name], dict):
            _require_all(settings[name], value, f"{prefix}{name}.", reader)


def _plain(config: DictConfig) -> dict[str, Any]:
    settings: Any = OmegaConf.to_container(config, resolve=False)
    return {key: value for key, value in settings.items() if key != "hydra"}


def _read(file: Path) -> dict[str, Any]:
    return dict(OmegaConf.to_container(OmegaConf.load(file), resolve=False))  # type: ignore[arg-type]
