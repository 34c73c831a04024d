"""The versions of Python that pyproject.toml promises, and those of them that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
CURRENT = f"{sys.version_info.major}.{sys.version_info.minor}"


def promised() -> list[str]:
    """Such as ``3.11``, from the classifiers."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [line.rpartition(" ")[2] for line in project["classifiers"] if line.startswith("Programming Language")]


def find(version: str) -> Path | None:
    """An interpreter of that version: the running one, one on the path, or one of pyenv."""
    return next((python for python in _candidates(version) if _version(python) == version), None)


def _candidates(version: str) -> Iterator[Path]:
    if version == CURRENT:
        yield Path(sys.executable)
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)


def _version(python: Path) -> str | None:
    """What the interpreter says that it is; None where it does not run, as a shim of pyenv whose version is not set."""
    command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    found = subprocess.run(command, capture_output=True, text=True)
    return found.stdout.strip() if found.returncode == 0 else None
