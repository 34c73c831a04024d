"""Pieces of a page that reports of one run and of several share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dhns.reporting.charts import COLOURS, Strip, strip, strips_axis
from dhns.results import titles
from dhns.results.comparison import Comparison
from dhns.results.estimates import Slice
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.tables import percent

NO_RANKS = (
    f"No intervals and no slices: no {RANKS} that belongs to this result lies beside it. Runs of today write one; the "
    "same command with force=true trains again and has it."
)
TOO_FEW = "No intervals: the queries are about too few entities."
FIRST_SLICES = 12
"""Relations that are shown at once, those of most queries; the others are folded away."""


@dataclass(frozen=True)
class SliceRow:
    """What systems measure on some queries.

    Attributes:
        values: of each system, in percent.
        intervals: likewise; empty where there is none.
        strips: likewise, along one axis for all rows.
    """

    name: str
    queries: int
    values: tuple[str, ...]
    intervals: tuple[str, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Sliced:
    """A way to slice the queries.

    Attributes:
        title: of the table.
        first: heading of its first column.
        said: how to read it.
        rest: rows that are folded away.
        axis: the ends of the strips, in percent.
    """

    title: str
    first: str
    said: str
    rows: tuple[SliceRow, ...]
    rest: tuple[SliceRow, ...]
    axis: tuple[float, float]


def sliced(
    title: str, first: str, said: str, comparison: Comparison, colours: Sequence[int] = (1,), most: int = 0
) -> Sliced | None:
    """The slices of a comparison but for all queries; None without ranks.

    Args:
        title: see `Sliced`.
        first: likewise.
        said: likewise.
        comparison: with slices ``by`` something.
        colours: of its ranked systems.
        most: how many slices are shown at once, those of most queries first; all in their order where it is 0.
    """
    slices = list(comparison.slices[1:])
    if not slices:
        return None
    means = [each for each in slices if each.name.startswith("mean over ")]
    plain = [each for each in slices if each not in means]
    if most:
        plain.sort(key=lambda each: -each.queries)
    ends = [
        100 * end
        for each in slices
        for found in each.estimates
        for end in (found.low, found.value, found.high)
        if end is not None
    ]
    axis = strips_axis([0.0, *ends])
    rows = [_row(each, axis, colours) for each in plain]
    shown = most or len(rows)
    return Sliced(
        title, first, said, (*rows[:shown], *(_row(each, axis, colours) for each in means)), tuple(rows[shown:]), axis
    )


def sliced_by_relation(comparison: Comparison, colours: Sequence[int] = (1,)) -> Sliced | None:
    """`sliced`, for relations: those of few queries folded away."""
    names = [each.name.removeprefix("relation ") for each in comparison.slices[1:-1]]
    unnamed = all(map(str.isdecimal, names))
    said = f"Those of most queries first{'; by id, as nothing at hand has their names' if unnamed else ''}."
    return sliced("By relation", "relation", said, comparison, colours, FIRST_SLICES)


def interval_text(low: float | None, high: float | None, sign: str = "") -> str:
    """Bounds in percent; empty where there are none."""
    return "" if low is None or high is None else f"{100 * low:{sign}.2f} to {100 * high:{sign}.2f}"


def cost_rows(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Time, memory and parameters of a run, as far as its result says."""
    time, parameters = result.get("time") or {}, result.get("parameters") or {}
    epochs, trained = result.get("epochs"), time.get("train_s")
    rows = [("Training", _seconds(trained))]
    rows.append(("Per epoch", _seconds(trained / epochs) if trained is not None and epochs else ""))
    rows.append(("Epochs", f"{epochs:,}" if epochs else ""))
    rows.append(("Batches", f"{result['batches']:,}" if result.get("batches") else ""))
    rows.append(("Ranking", _seconds(time.get("rank_s"))))
    memory = result.get("peak_memory_mib")
    rows.append(("Peak memory", f"{memory:,.0f} MiB" if memory else ""))
    rows.append(("Device", _device(result)))
    rows += [(f"{part.capitalize()} parameters", f"{count:,}") for part, count in parameters.items() if count]
    return [(name, value) for name, value in rows if value]


def plain_value(value: Any) -> str:
    """A setting as it is typed."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {plain_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(plain_value, value)) + "]"
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def shown_settings(config: Mapping[str, Any]) -> dict[str, str]:
    """By dotted key, the settings that change numbers, as they are typed."""
    found = titles.settings(config)
    return {key: plain_value(found[key]) for key in sorted(found) if not key.endswith("_partial_")}


def shown_notes(results: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was guessed about the data or changed in them."""
    return list(dict.fromkeys(note for result in results for note in result["protocol"].get("notes") or ()))


def _row(each: Slice, axis: tuple[float, float], colours: Sequence[int]) -> SliceRow:
    found = each.estimates
    strips = [
        strip(
            axis,
            100 * estimate.value,
            (100 * estimate.low, 100 * estimate.high)
            if estimate.low is not None and estimate.high is not None
            else None,
            colour=colour,
        )
        for estimate, colour in zip(found, colours, strict=True)
    ]
    name = each.name.removeprefix("relation ").removeprefix("popularity ")
    intervals = tuple(interval_text(estimate.low, estimate.high) for estimate in found)
    return SliceRow(name, each.queries, tuple(percent(estimate.value) for estimate in found), intervals, tuple(strips))


def colour_of(number: int) -> int:
    """Of the system of a number: as many have their own as the page tells apart, the others are grey."""
    return number + 1 if number < COLOURS else 0


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return (
        f"{seconds:,.0f} s ({seconds / 60:.0f} min)" if seconds < 7200 else f"{seconds:,.0f} s ({seconds / 3600:.1f} h)"
    )


def _device(result: Mapping[str, Any]) -> str:
    if not (device := result.get("device")):
        return ""
    number = f"{result['devices']} x " if result.get("devices", 1) > 1 else ""
    threads = (
        f", {result['threads']} threads"
        if result.get("threads", 0) > 1
        else ", 1 thread"
        if result.get("threads")
        else ""
    )
    return f"{number}{device}{threads}"
