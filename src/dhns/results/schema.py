"""What a result file has to hold so that tables can be made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dhns.errors import InputError

METRICS = ("mrr", "hits@1", "hits@3", "hits@10")
_NEEDED: dict[str, type | tuple[type, ...]] = {
    "system": str,
    "ablated": str,
    "dataset": str,
    "config_hash": str,
    "seed": int,
    "config": dict,
    "config.trainer": dict,
    "config.data": dict,
    "protocol": dict,
    "protocol.name": str,
    "metrics": dict,
}
_POSSIBLE: dict[str, type | tuple[type, ...]] = {
    "fingerprints": dict,
    "baseline": dict,
    "device": str,
    "time": dict,
    "time.train_s": (int, float),
    "config.scorer": dict,
    "config.encoder": dict,
    "config.loss": dict,
    "config.regularizer": dict,
    "config.negatives": dict,
    "config.generator": dict,
    "config.generator.model": dict,
    "config.features": dict,
    "config.features.kind": str,
    "config.features.modalities": list,
    "config.missing": dict,
    "config.missing.strategy": str,
    "config.missing.share": (int, float),
    "config.missing.modalities": list,
}
"""May be absent or null: older results lack some."""


def require_usable(result: Mapping[str, Any], split: str, path: Path) -> None:
    """Check what tables of a split read.

    Raises:
        InputError: something is missing, or of another kind; the message names it and the file.
    """
    for key, kind in (_NEEDED | _POSSIBLE).items():
        if (value := _at(result, key)) is None and key in _NEEDED:
            raise InputError(f"{path} is no result of a run: it lacks '{key}'")
        if value is not None and not isinstance(value, kind):
            raise InputError(f"{path} is no result of a run: its '{key}' is {value!r:.40}")
    for part, fingerprint in (result.get("fingerprints") or {}).items():
        if not isinstance(fingerprint, str):
            raise InputError(f"{path} is no result of a run: the fingerprint of '{part}' is {fingerprint!r:.40}")
    if not result["metrics"].get(split):
        raise InputError(f"{path} has no {split} metrics")
    for part in ("metrics", "baseline"):
        if metrics := _at(result, f"{part}.{split}"):
            _require_metrics(metrics, f"{part}.{split}", path)


def _require_metrics(metrics: Any, key: str, path: Path) -> None:
    numbers = metrics if isinstance(metrics, dict) else {}
    lacking = [metric for metric in METRICS if metric not in numbers]
    wrong = [name for name, value in numbers.items() if not _is_number(value)]
    if lacking or wrong:
        raise InputError(
            f"{path} is no result of a run: '{key}' lacks a number for {', '.join((lacking or wrong)[:3])}"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _at(result: Mapping[str, Any], key: str) -> Any:
    """What stands at a dotted key; None where nothing does."""
    node: Any = result
    for name in key.split("."):
        node = node.get(name) if isinstance(node, Mapping) else None
    return node
