"""What a run logged in files: its losses, validations and learning rates, epoch by epoch."""

from __future__ import annotations

import contextlib
import csv
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILES = "metrics.csv"
NONE = (
    "No curves: no log/version_0/metrics.csv lies beside this result. It is what logger=csv, the default, writes; the "
    "same command with force=true trains again and has it."
)
NONE_OF_BLEND = "No curves: a blend is not trained. Those of its members are in the reports of their runs."
Curves = Mapping[str, list[tuple[int, float]]]
"""By name as logged, such as ``train/loss`` and ``valid/mrr``: pairs of epoch, from 1, and value."""


def read_curves(run: Path) -> Curves:
    """Of a run's folder; empty where it has no log in files.

    A run that was resumed has a log for each start, and where two know an epoch the later one counts. What cannot be
    read of a file, such as the last line of a run that was killed, is left out.
    """
    found: dict[str, dict[int, float]] = {}
    for file in sorted((run / "log").rglob(FILES), key=_version):
        for row in _rows(file):
            if (epoch := _number(row.get("epoch"))) is None:
                continue  # the summary, which belongs to no epoch
            for name, text in row.items():
                if name not in ("epoch", "step") and (value := _number(text)) is not None:
                    found.setdefault(name, {})[int(epoch) + 1] = value
    return {name: sorted(values.items()) for name, values in found.items()}


def best_epoch(curves: Curves, result: Mapping[str, Any]) -> int | None:
    """The epoch whose weights were ranked: of the best validation MRR; None where none was selected or logged."""
    points = curves.get("valid/mrr")
    if not points or result["protocol"].get("select") != "best_valid":
        return None
    return max(points, key=lambda point: point[1])[0]  # the first of equals, as the checkpoint was kept


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open(encoding="utf-8", errors="replace", newline="") as lines, contextlib.suppress(csv.Error):
        yield from csv.DictReader(line.replace("\0", "") for line in lines)


def _number(text: Any) -> float | None:
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None


def _version(file: Path) -> tuple[int, str]:
    number = re.search(r"(\d+)$", file.parent.name)
    return int(number[1]) if number else -1, str(file)
