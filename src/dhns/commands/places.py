"""Folders of runs, as ``runs=`` names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dhns.errors import InputError
from dhns.sharing.hub import fetched


def run_folders(runs: str | Sequence[str]) -> list[Path]:
    """The folder, or the folders of a list, under which result files are looked for; see `dhns.sharing.hub.fetched`.

    Raises:
        InputError: the list is empty, or a model cannot be fetched.
    """
    if not runs:
        raise InputError("runs names no folder; give runs=FOLDER or runs=[RUN,RUN]")
    return [fetched(folder) for folder in ([runs] if isinstance(runs, str) else runs)]
