"""Every setting of a command is one that its files in ``conf/`` have, or one that a ``_target_`` takes."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.errors import InputError
from dhns.resources import conf_dir


def require_known(config: DictConfig, command: str) -> None:
    """Refuse a setting that nothing would read, and a command without one that it reads.

    What lies under a ``_target_``, and under ``trainer``, is compared with its arguments elsewhere
    (`dhns.training.check`). A mapping that is empty or null in ``conf/`` holds whatever a user puts there.

    Raises:
        InputError: there is one; the message names it.
    """
    tree = _read(conf_dir() / f"{command}.yaml")
    tree.pop("hydra")
    groups = [
        name.removeprefix("optional ")
        for entry in tree.pop("defaults")
        if isinstance(entry, dict)
        for name in entry
        if not name.startswith("override ")
    ]
    known = {name: options for name in groups if (options := _options(name)) is not None} | tree
    settings: Any = OmegaConf.to_container(config, resolve=False)
    settings.pop("hydra", None)
    _require(settings, known | {"trainer": None}, "", f"dhns {command}")
    _require_all(settings, tree, "", f"dhns {command}")


def _options(group: str) -> dict[str, None] | None:
    """What the files of a group hold; None for a group of choices that change the settings of others."""
    files = sorted((conf_dir() / group).rglob("*.yaml"))
    if any(file.read_text(encoding="utf-8").startswith("# @package _global_") for file in files):
        return None
    return {key: None for file in files for key in _read(file)}


def _require(settings: dict[str, Any], known: dict[str, Any], prefix: str, reader: str) -> None:
    for name, value in settings.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {prefix}{near[0]}?" if near else f"{reader} --cfg job prints all that there are"
            raise InputError(f"{prefix}{name} is no setting of {reader}; {hint}")
        if isinstance(value, dict) and "_target_" not in value and known[name]:
            _require(value, known[name], f"{prefix}{name}.", reader)


def _require_all(settings: dict[str, Any], needed: dict[str, Any], prefix: str, reader: str) -> None:
    for name, value in needed.items():
        if name not in settings:
            raise InputError(f"{reader} needs {prefix}{name}; leave out ~{prefix}{name}")
        if isinstance(value, dict) and isinstance(settings[name], dict):
            _require_all(settings[name], value, f"{prefix}{name}.", reader)


def _read(file: Path) -> dict[str, Any]:
    return dict(OmegaConf.to_container(OmegaConf.load(file), resolve=False))  # type: ignore[arg-type]
