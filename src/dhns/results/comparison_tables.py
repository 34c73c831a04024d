"""Tables of systems side by side, of their differences, and of slices of the queries."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from dhns.results.comparison import Comparison
from dhns.results.schema import METRICS
from dhns.results.systems import System
from dhns.results.tables import percent, spread

NAMES = {"mrr": "MRR", "hits@1": "Hits@1", "hits@3": "Hits@3", "hits@10": "Hits@10"}
BASELINE = "relation frequency"
_TEXTS = frozenset({"data set", "system", "negatives", "protocol", "slice"})


def comparison_table(found: Sequence[Comparison]) -> Table:
    """One row per system and data set, means and deviations over seeds; first what learns nothing.

    The metric of the comparisons has an interval, where there are ranks. What no row has gets no column, nor a protocol
    that all share.
    """
    sections = [list(_rows(comparison)) for comparison in found]
    protocols = {system.protocol for comparison in found for system in comparison.data.systems}
    shared = f"{min(protocols)} protocol, " if len(protocols) == 1 else ""
    columns = [
        column
        for column in _columns(found[0])
        if any(row.get(column) for rows in sections for row in rows) and not (shared and column == "protocol")
    ]
    split = found[0].data.split
    title = f"{split} split, {shared}filtered, realistic ranks, both sides, % (mean ± sd over seeds)"
    return _table(title, columns, sections)


def estimates_table(comparison: Comparison) -> Table:
    """Intervals of the metric on every slice of the queries, and how systems differ from one, where there is one."""
    metric, level, other = NAMES[comparison.metric], f"{100 * comparison.level:g} %", comparison.against
    sections = []
    for each in comparison.slices:
        first = {"slice": each.name, "queries": str(each.queries), "entities": str(each.entities)}
        rows: list[dict[str, str]] = []
        for system, estimate in zip(comparison.ranked, each.estimates, strict=True):
            row = {"system": system.title, metric: percent(estimate.value)}
            row[f"{metric} {level}"] = _interval(estimate.low, estimate.high)
            if (apart := estimate.difference) is not None:
                row["difference"] = f"{100 * apart.value:+.2f}"
                row[f"difference {level}"] = _interval(apart.low, apart.high, "+")
                row |= {"p": f"{apart.p:.4f}", "p corrected": f"{apart.corrected:.4f}"}
            rows.append(row if rows else first | row)
        sections.append(rows)
    title = f"{comparison.data.label}: {metric} on the {comparison.data.split} split, %"
    if other is not None:
        title += f"; differences from {other.title}"
    columns = dict.fromkeys(column for rows in sections for row in rows for column in row)
    return _table(title, list(columns), sections)


def _columns(comparison: Comparison) -> Iterator[str]:
    yield from ("data set", "system", "negatives", "protocol", "seeds")
    for metric in METRICS:
        yield NAMES[metric]
        if metric == comparison.metric:
            yield _interval_column(comparison)
    yield from ("MRR unseen", "train s")


def _interval_column(comparison: Comparison) -> str:
    return f"{NAMES[comparison.metric]} {100 * comparison.level:g} %"


def _rows(comparison: Comparison) -> Iterator[dict[str, str]]:
    data = comparison.data
    if baseline := data.baseline:
        metrics = {NAMES[metric]: percent(baseline[metric]) for metric in METRICS}
        unseen = percent(baseline["unseen/mrr"]) if "unseen/mrr" in baseline else ""
        yield {"data set": data.label, "system": BASELINE, "MRR unseen": unseen} | metrics
    for system in data.systems:
        row = {"data set": data.label, "system": system.title, "negatives": system.negatives}
        row |= {"protocol": system.protocol, "seeds": str(len(system.seeds)), "train s": _seconds(system)}
        row |= {NAMES[metric]: spread(system.values(data.split, metric)) for metric in METRICS}
        if (estimate := comparison.estimate(system)) is not None:
            row[_interval_column(comparison)] = _interval(estimate.low, estimate.high)
        yield row | {"MRR unseen": spread(system.values(data.split, "unseen/mrr"))}


def _seconds(system: System) -> str:
    seconds: list[Any] = [(result.get("time") or {}).get("train_s") for result in system.runs.values()]
    return f"{statistics.mean(seconds):.0f}" if None not in seconds else ""


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f"[{100 * low:{sign}.2f}, {100 * high:{sign}.2f}]"


def _table(title: str, columns: Sequence[str], sections: Sequence[Sequence[dict[str, str]]]) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column in _TEXTS else "right")
    for rows in sections:
        for row in rows:
            table.add_row(*(row.get(column, "") for column in columns))
        table.add_section()
    return table
