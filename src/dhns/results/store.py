"""Result files: written once, atomically."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from dhns.config.identity import RESULT_VERSION
from dhns.config.renamed import present_settings
from dhns.errors import InputError
from dhns.results.schema import require_usable

log = logging.getLogger(__name__)

FILE_NAME = "result.json"
_PACKAGES = ("dhns", "torch", "pytorch-lightning", "torchmetrics", "hydra-core", "omegaconf", "numpy")


def read_result(path: Path) -> dict[str, Any]:
    """Read a result file; its settings have the names of today.

    Raises:
        InputError: it is missing, not JSON, or of another version.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the result file {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a result file: {error}; delete it and run again") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is not a result file: it holds no object; delete it and run again")
    if content.get("version") != RESULT_VERSION:
        raise InputError(
            f"{path} has result version {content.get('version')}, this program {RESULT_VERSION}; run it again"
        )
    if isinstance(content.get("config"), dict):
        content["config"] = present_settings(content["config"])
    return content


def find_results(folders: Path | Sequence[Path], split: str = "test") -> list[tuple[Path, dict[str, Any]]]:
    """All result files under a folder that hold metrics of a split, in path order; others are left out with a warning.

    Of several folders one after the other, each result once.

    Raises:
        InputError: there is none.
    """
    places = [folders] if isinstance(folders, Path) else folders
    under = {place: sorted(place.rglob(FILE_NAME)) for place in places}
    if empty := [str(place) for place, inside in under.items() if not inside]:
        raise InputError(
            f"no {FILE_NAME} lies under {' and '.join(empty)}; train something first (dhns train), or set runs=FOLDER"
        )
    paths = list({path.resolve(): path for inside in under.values() for path in inside}.values())
    contents = {path: _usable(path, split) for path in paths}
    found = [(path, content) for path, content in contents.items() if isinstance(content, dict)]
    flaws = [content for content in contents.values() if isinstance(content, str)]
    if not found:
        others = f" (and {len(flaws) - 1} more are of no use)" if len(flaws) > 1 else ""
        raise InputError(f"{flaws[0]}{others}")
    for flaw in flaws:
        log.warning("left out: %s", flaw)
    return found


def _usable(path: Path, split: str) -> dict[str, Any] | str:
    """A result, or what is wrong with it."""
    try:
        result = read_result(path)
        require_usable(result, split, path)
    except InputError as error:
        return str(error)
    return result


def versions() -> dict[str, str]:
    """Python, machine and the packages that numbers depend on."""
    python = {"python": platform.python_version(), "machine": f"{platform.machine()} {platform.system()}"}
    return python | {package: _version(package) for package in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
