"""What the report of several runs says: systems side by side, on each data set."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dhns.reporting.charts import LineChart, Series, Strip, line_chart, strip, strips_axis
from dhns.reporting.curves import Curves, read_curves
from dhns.reporting.differing_settings import differing_settings
from dhns.reporting.hardness import level_label, levels_of
from dhns.reporting.pieces import (
    TOO_FEW,
    Sliced,
    colour_of,
    cost_rows,
    interval_text,
    shown_notes,
    shown_settings,
    sliced,
    sliced_by_relation,
)
from dhns.reporting.tables import PageTable, of_console, of_rows
from dhns.results.comparison import Comparison, compare, notes
from dhns.results.comparison_tables import comparison_table
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.systems import DataSet, System, data_sets

NO_CURVES = "No curves: none of these runs has a log in files beside its result, as logger=csv, the default, writes it."
CURVES = {
    "train/loss": "Loss of the model",
    "train/loss_diffusion": "Loss of the generator",
    "valid/mrr": "Validation MRR, %",
    "valid/hits@10": "Validation Hits@10, %",
    "lr/model": "Learning rate of the model",
    "lr/generator": "Learning rate of the generator",
}


@dataclass(frozen=True)
class Key:
    """A system, and the letter and colour that stand for it."""

    letter: str
    colour: int
    title: str


@dataclass(frozen=True)
class DifferenceRow:
    """How a system differs from the one that all are compared with."""

    letter: str
    colour: int
    title: str
    value: str
    interval: str
    p: str
    corrected: str
    holds: bool
    strip: Strip


@dataclass(frozen=True)
class Differences:
    """Of the metric; ``zero`` is where the strips have no difference, ``axis`` their ends."""

    against: Key
    rows: tuple[DifferenceRow, ...]
    axis: tuple[float, float]
    zero: float


@dataclass(frozen=True)
class OneDataSet:
    """The systems of a data set, from the least MRR to the greatest; ``ranked`` are those that keep their ranks."""

    label: str
    keys: tuple[Key, ...]
    ranked: tuple[Key, ...]
    metrics: PageTable
    differences: Differences | None
    no_intervals: str
    slices: tuple[Sliced, ...]
    charts: tuple[LineChart, ...]
    no_charts: str
    hardness: PageTable | None
    cost: PageTable
    settings: PageTable | None


@dataclass(frozen=True)
class SeveralRuns:
    """Runs of one data set, or of several."""

    runs: int
    split: str
    data_sets: tuple[OneDataSet, ...]
    notes: tuple[str, ...]


def several_runs(
    found: Sequence[tuple[Path, dict[str, Any]]], split: str, against: str | None = None, data: Path | None = None
) -> SeveralRuns:
    """All sections of a report.

    Args:
        found: results by the path of their file, as `dhns.results.store.find_results` gives them.
        split: on which systems are compared.
        against: the system that the others differ from, by hash, name or model; the first of ``found`` on each data set
            where it is None.
        data: folder of published data sets, for the names of relations of older results.

    Raises:
        InputError: no system, or more than one, goes by that name.
    """
    order = {path.parent: number for number, (path, _) in enumerate(found)}
    made, compared = [], []
    for of_data in data_sets(found, split):
        first = min(of_data.systems, key=lambda system: min(order[folder] for folder in system.runs))
        by = {
            each: compare(of_data, by=each, against=against or first.title, data_sets=data)
            for each in ("popularity", "relation")
        }
        compared.append(by["popularity"])
        made.append(_data_set(of_data, by))
    told_beside_the_table = ("have no interval", "too few entities")
    said = [note for note in notes(compared, against) if not any(part in note for part in told_beside_the_table)]
    return SeveralRuns(len(found), split, tuple(made), (*said, *shown_notes(result for _, result in found)))


def _data_set(data: DataSet, by: Mapping[str, Comparison]) -> OneDataSet:
    comparison = by["popularity"]
    keys = {system: Key(_letter(number), colour_of(number), system.title) for number, system in enumerate(data.systems)}
    curves = {system: [curves for folder in system.runs if (curves := read_curves(folder))] for system in data.systems}
    charts = _charts(keys, curves)
    return OneDataSet(
        label=data.label,
        keys=tuple(keys.values()),
        ranked=tuple(keys[system] for system in comparison.ranked),
        metrics=_metrics(comparison, keys),
        differences=_differences(comparison, keys),
        no_intervals=_why_no_intervals(comparison, keys),
        slices=tuple(_slices(by, keys)),
        charts=tuple(charts),
        no_charts="" if charts else NO_CURVES,
        hardness=_hardness(keys),
        cost=_cost(keys),
        settings=_settings(keys),
    )


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{_letter(number // 26 - 1)}{_letter(number % 26)}"


def _metrics(comparison: Comparison, keys: Mapping[System, Key]) -> PageTable:
    """As `dhns compare` prints it, with the letters of systems."""
    table = of_console(comparison_table([comparison]))
    place, letters = table.columns.index("system"), {key.title: key.letter for key in keys.values()}
    data = table.columns.index("data set")
    rows = [
        (letters.get(row[place], ""), *(cell for number, cell in enumerate(row) if number != data))
        for row in table.rows
    ]
    columns = ("", *(name for number, name in enumerate(table.columns) if number != data))
    numeric = (False, *(kind for number, kind in enumerate(table.numeric) if number != data))
    return PageTable(table.caption, columns, numeric, (tuple(rows),))


def _differences(comparison: Comparison, keys: Mapping[System, Key]) -> Differences | None:
    against = comparison.against
    if against is None or len(comparison.ranked) < 2:
        return None
    found = [
        (keys[system], estimate.difference)
        for system, estimate in zip(comparison.ranked, comparison.slices[0].estimates, strict=True)
        if estimate.difference is not None
    ]
    ends = [100 * end for _, apart in found for end in (apart.low, apart.value, apart.high) if end is not None]
    axis = strips_axis([0.0, *ends])
    rows = [
        DifferenceRow(
            key.letter,
            key.colour,
            key.title,
            f"{100 * apart.value:+.2f}",
            interval_text(apart.low, apart.high, "+"),
            f"{apart.p:.4f}",
            f"{apart.corrected:.4f}",
            apart.holds(),
            strip(
                axis,
                100 * apart.value,
                (100 * apart.low, 100 * apart.high) if apart.low is not None and apart.high is not None else None,
                colour=key.colour,
            ),
        )
        for key, apart in found
    ]
    return Differences(keys[against], tuple(rows), axis, strip(axis, 0).value)


def _why_no_intervals(comparison: Comparison, keys: Mapping[System, Key]) -> str:
    lacking = [key.letter for system, key in keys.items() if system not in comparison.ranked]
    if lacking:
        whose = "any system" if not comparison.ranked else ", ".join(lacking)
        return (
            f"No intervals, differences and slices of {whose}: no {RANKS} that belongs to it lies beside each result. "
            "Runs of today write one; the same commands with force=true train again and have it."
        )
    return TOO_FEW if comparison.slices[0].estimates[0].low is None else ""


def _slices(by: Mapping[str, Comparison], keys: Mapping[System, Key]) -> list[Sliced]:
    colours = [keys[system].colour for system in by["relation"].ranked]
    parts = [
        sliced(
            "By popularity of the answer",
            "training triples",
            "Training triples that hold the answer, in deciles of the queries: rare answers first.",
            by["popularity"],
            colours,
        ),
        sliced_by_relation(by["relation"], colours),
    ]
    return [part for part in parts if part is not None]


def _charts(keys: Mapping[System, Key], curves: Mapping[System, Sequence[Curves]]) -> list[LineChart]:
    charts = []
    for name, title in CURVES.items():
        scale = 100 if title.endswith("%") else 1
        series = [
            Series(
                key.letter if key.colour and not number else "",
                [(epoch, scale * value) for epoch, value in each[name]],
                key.colour,
                key.title,
            )
            for system, key in keys.items()
            for number, each in enumerate(run for run in curves[system] if run.get(name))
        ]
        if (chart := line_chart(title, series, from_zero=scale == 1)) is not None:
            charts.append(chart)
    return charts


def _hardness(keys: Mapping[System, Key]) -> PageTable | None:
    """Mean scores by level of the systems that generate, means over their seeds."""
    found = {
        key: [(result.get("generated") or {}).get("mean_scores") or {} for result in system.runs.values()]
        for system, key in keys.items()
    }
    found = {key: means for key, means in found.items() if all(means)}
    if not found:
        return None
    levels = levels_of({name: 0.0 for means in found.values() for each in means for name in each})

    def cell(means: Sequence[Mapping[str, float]], name: str) -> str:
        values = [each[name] for each in means if name in each]
        return f"{statistics.mean(values):.2f}" if len(values) == len(means) else ""

    rows = [
        (level_label(name), *(cell(means, name) for means in found.values())) for name in ("true", *levels, "sampled")
    ]
    return of_rows("Mean scores, hard to easy", ["", *(key.letter for key in found)], rows)


def _cost(keys: Mapping[System, Key]) -> PageTable:
    """Of the first run of each system."""
    costs = {key: dict(cost_rows(next(iter(system.runs.values())))) for system, key in keys.items()}
    names = list(dict.fromkeys(name for rows in costs.values() for name in rows))
    rows = [(key.letter, key.title, *(cost.get(name, "") for name in names)) for key, cost in costs.items()]
    table = of_rows("What the first run of each took", ["", "system", *names], rows)
    return replace(table, numeric=(False, False, *[True] * len(names)))


def _settings(keys: Mapping[System, Key]) -> PageTable | None:
    """Of the systems but for blends, whose settings are those of their members."""
    configs = {key.letter: next(iter(system.runs.values()))["config"] for system, key in keys.items()}
    return differing_settings(
        {letter: shown_settings(config) for letter, config in configs.items() if "members" not in config}
    )
