"""Folders of runs, as ``runs=`` names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dhns.errors import InputError


def run_folders(runs: str | Sequence[str]) -> list[Path]:
    """The folder, or the folders of a list, under which result files are looked for.

    Raises:
        InputError: the list is empty.
    """
    if not runs:
        raise InputError("runs names no folder; give runs=FOLDER or runs=[RUN,RUN]")
    return [Path(folder) for folder in ([runs] if isinstance(runs, str) else runs)]
