"""What the settings hold that a command reads itself, rather than hand them to a ``_target_``."""

from __future__ import annotations

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
    "run_dir": str,
    "resume": str | None,
    "init_from": str | None,
    "keep_data": bool,
    "force": bool,
    "progress": bool,
    # evaluate and predict
    "checkpoint": str,
    "split": str,
    "triples": str | None,
    "known": Literal["mark", "hide"],
    "device": str,
    "head": str | None,
    "relation": str | None,
    "tail": str | None,
    "k": Count,
    # compare and curves
    "runs": str,
    "markdown": bool,
    # reproduce
    "jobs": Count,
    "render_only": bool,
    "print_jobs": bool,
    # data
    "action": str,
    "mirror": str | None,
    "pack": str | None,
    "links": str | None,
    "modality": str | None,
    # features
    "images": str | None,
    "texts": str | None,
    "batch_size": Count,
    "dtype": Literal["float16", "float32"],
    "when_unreadable": Literal["stop", "skip"],
    # of several
    "out": str | None,
    "paths.data": str,
    "paths.outputs": str,
}
"""Annotations by key."""
