"""What the settings hold that a command reads itself, rather than hand them to a ``_target_``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from dhns.ranges import Count, Seed

OWN: dict[str, Any] = {
    # train
    "seed": Seed,
    "system": str,
    "ablated": str,
    "reciprocal": bool,
    "budget": Literal["smoke", "short", "full"],
    **{f"{part}.{budget}": Count for part in ("epochs", "validations") for budget in ("smoke", "short", "full")},
    **{f"valid_triples.{budget}": Count | None for budget in ("smoke", "short", "full")},
    "data.batch_size": Count,
    "data.valid_triples": Count | None,
    "stopping.patience": Count | None,
    "run_dir": Path,
    "resume": Path | None,
    "init_from": Path | None,
    "keep_data": bool,
    "force": bool,
    "progress": bool,
    # evaluate and predict
    "checkpoint": Path,
    "split": str,
    "triples": Path | None,
    "known": str,
    "device": str,
    "head": str | None,
    "relation": str | None,
    "tail": str | None,
    "k": Count,
    # compare and curves
    "runs": Path,
    "markdown": bool,
    # reproduce
    "jobs": Count,
    "render_only": bool,
    "print_jobs": bool,
    # data
    "action": str,
    "mirror": str | None,
    "pack": Path | None,
    "links": Path | None,
    "modality": str | None,
    # features
    "images": Path | None,
    "texts": Path | None,
    "batch_size": Count,
    "dtype": Literal["float16", "float32"],
    "when_unreadable": Literal["stop", "skip"],
    # of several
    "out": Path | None,
    "download": bool,
    "paths.data": Path,
    "paths.outputs": Path,
}
"""Annotations by key."""
