"""Where what other programs read may be written."""

from __future__ import annotations

from pathlib import Path

from dhns.config.starting_points import BLEND
from dhns.errors import InputError
from dhns.files import require_place

_FILES = frozenset({"result.json", "ranks.npz", "graph.safetensors", BLEND})
_FOLDERS = frozenset({"checkpoints", "features", "members"})


def require_out(path: Path) -> None:
    """Refuse a place that cannot be written, or holds a part of a run, before anything is computed.

    Raises:
        InputError: see `dhns.files.require_place`; or a run would be lost.
    """
    require_place(path)
    if path.is_file() and _is_of_run(path.resolve()):
        raise InputError(f"out={path} is a part of a trained run, which would be lost; give another file")


def _is_of_run(path: Path) -> bool:
    if path.name in _FILES or path.name.endswith(".calibration.json"):
        return True
    return any(
        folder.name in _FOLDERS and any((folder.parent / name).is_file() for name in _FILES) for folder in path.parents
    )
