"""What was measured, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from benchmarks.driver import Measured, Work

VERSION = 1


def headline(commit: str, machine: dict[str, Any], versions: dict[str, dict[str, str]]) -> str:
    """What all tables of a run share, in a line."""
    project, peers = versions["project"], versions["peers"]
    return (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads · commit {commit} · "
        f"torch {project['torch']} · PyKEEN {peers['pykeen']} on torch {peers['torch']}"
    )


def table(name: str, work: Work, measured: Sequence[Measured]) -> Table:
    """One row per side: median and range; where they are compared, speeds as multiples of the baseline's."""
    heading = f"{name} · {work.title}" + (f" · {work.data}" if work.data else "")
    shown = Table(title=heading, title_justify="left", title_style="bold")
    shown.add_column("side")
    comparing = ("times as fast", "peak GiB") if work.baseline else ()
    for column in (work.unit, "min .. max", *comparing):
        shown.add_column(column, justify="right")
    if work.baseline:
        shown.add_column("remark", overflow="fold")
    ratios = times_as_fast(work, measured)
    for found in measured:
        if found.failure:
            shown.add_row(found.side.label, "failed", found.failure)
            continue
        cells = [_figure(found.median), f"{_figure(min(found.values))} .. {_figure(max(found.values))}"]
        if work.baseline:
            cells += [_ratio(ratios, found.side.label), f"{found.peak_mib / 1024:.1f}", found.side.remark]
        shown.add_row(found.side.label, *cells)
    for quoted in work.quoted:
        ratio = _ratio(ratios, quoted.label)
        shown.add_row(quoted.label, _figure(quoted.value), "quoted", ratio, "", f"not measured here: {quoted.source}")
    return shown


def record(work: Work, measured: Sequence[Measured], repeats: int, surroundings: dict[str, Any]) -> dict[str, Any]:
    """The content of the result file; ``surroundings`` are machine, versions and commit."""
    return {
        "version": VERSION,
        "title": work.title,
        "unit": work.unit,
        "data": work.data,
        "repeats": repeats,
        "sides": [_side(found) for found in measured],
        "quoted": [asdict(quoted) for quoted in work.quoted],
        "baseline": work.baseline,
        "times_as_fast": times_as_fast(work, measured),
    } | surroundings


def times_as_fast(work: Work, measured: Sequence[Measured]) -> dict[str, float]:
    """Speeds by label, as multiples of the baseline's; empty if there is none, or if it failed."""
    figures = {quoted.label: quoted.value for quoted in work.quoted}
    figures |= {found.side.label: found.median for found in measured if not found.failure}
    if work.baseline not in figures:
        return {}
    base = figures[work.baseline]
    return {label: base / figure if work.in_seconds else figure / base for label, figure in figures.items()}


def _side(found: Measured) -> dict[str, Any]:
    side = found.side
    content: dict[str, Any] = {"label": side.label, "peer": side.peer, "target": side.target, "job": side.job}
    content |= {"environment": side.environment, "remark": side.remark}
    if found.failure:
        return content | {"failure": found.failure}
    return content | {"values": found.values, "median": found.median, "peak_mib": found.peak_mib}


def _ratio(ratios: dict[str, float], label: str) -> str:
    return _figure(ratios[label]) if label in ratios else ""


def _figure(value: float) -> str:
    """Three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
