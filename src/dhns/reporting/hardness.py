"""Scores of generated negatives, level by level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from dhns.reporting.charts import Strip, strip, strips_axis
from dhns.reporting.tables import PageTable, of_rows
from dhns.training.diagnostics import DEAD_SHARE


@dataclass(frozen=True)
class HardnessRow:
    """True triples, a level or sampled negatives: the mean score, and what the level does in training."""

    name: str
    mean: str
    share: str
    gradient: str
    strip: Strip


@dataclass(frozen=True)
class Hardness:
    """Scores from true triples over the levels, hard to easy, to sampled negatives.

    Attributes:
        axis: ends of the strips.
        boxes: whether the strips have quantiles, or means alone.
        verdict: whether the means order as the paper claims.
        views: mean scores by view.
    """

    rows: tuple[HardnessRow, ...]
    axis: tuple[float, float]
    boxes: bool
    verdict: str
    views: PageTable | None


def hardness(result: Mapping[str, Any], quantiles: Mapping[str, np.ndarray] | None) -> Hardness | None:
    """None for a run without a generator.

    Args:
        result: of the run.
        quantiles: as `dhns.reporting.trained.score_quantiles` gives them, if there is a checkpoint.
    """
    generated = result.get("generated") or {}
    means, diagnostics = generated.get("mean_scores") or {}, generated.get("diagnostics") or {}
    levels = levels_of(means)
    if not levels:
        return None
    names = [name for name in ("true", *levels, "sampled") if name in means]
    found = {name: quantiles[name] for name in names if quantiles and name in quantiles}
    axis = strips_axis(
        [*(end for each in found.values() for end in (each[0], each[-1])), *(means[name] for name in names)]
    )
    sampled = diagnostics.get("sampled/gradient")
    rows = [_row(name, means[name], found.get(name), axis, diagnostics, sampled) for name in names]
    values = [means[name] for name in levels]
    falls = all(before > after for before, after in pairwise(values))
    verdict = (
        "The mean scores of the levels fall from hard to easy, as the paper claims."
        if falls
        else "The mean scores of the levels do not fall from hard to easy, as the paper claims they would."
    )
    return Hardness(tuple(rows), axis, bool(found), verdict if len(values) > 1 else "", _views(means, levels))


def levels_of(means: Mapping[str, float]) -> list[str]:
    """Names of the levels, hard to easy."""
    names = (name for name in means if name.startswith("level_") and "/" not in name)
    return sorted(names, key=lambda name: float(name.removeprefix("level_")))


def level_label(name: str) -> str:
    """What a row of scores is of, in words."""
    return {"true": "true triples", "sampled": "sampled negatives"}.get(
        name, f"generated, t = {name.removeprefix('level_')} T"
    )


def _row(
    name: str,
    mean: float,
    quantiles: np.ndarray | None,
    axis: tuple[float, float],
    diagnostics: Mapping[str, float],
    sampled: float | None,
) -> HardnessRow:
    share, gradient = diagnostics.get(f"{name}/loss_share"), diagnostics.get(f"{name}/gradient")
    relative = gradient / sampled if gradient is not None and sampled and name != "sampled" else None
    told = "" if relative is None else f"{100 * relative:.1f} %" + (" (dead)" if relative < DEAD_SHARE else "")
    if quantiles is None:
        place = strip(axis, mean)
    else:
        low, lower, median, upper, high = quantiles.tolist()
        place = strip(axis, median, (low, high), (lower, upper))
    return HardnessRow(level_label(name), f"{mean:.2f}", "" if share is None else f"{100 * share:.1f} %", told, place)


def _views(means: Mapping[str, float], levels: list[str]) -> PageTable | None:
    views = list(dict.fromkeys(name.partition("/")[2] for name in means if "/" in name))
    if not views:
        return None
    rows = [
        (
            level_label(level),
            *(f"{means[f'{level}/{view}']:.2f}" if f"{level}/{view}" in means else "" for view in views),
        )
        for level in levels
    ]
    return of_rows("Mean scores by view", ["", *views], rows)
