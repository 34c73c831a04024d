"""Where the lines, labels and marks of a chart go. The page draws them, in its own colours, light or dark.

Charts are as narrow as a telephone, so that their text keeps its size, and stand side by side where there is room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

COLOURS = 6
"""Colours that the page tells apart; 0 is the grey of everything else."""
WIDTH, HEIGHT = 380.0, 226.0
_TOP, _BOTTOM = 22.0, 34.0
_LETTER = 6.8
"""Width of a letter of a label."""
_LINE = 14.0
"""Least distance of the labels of two lines."""
_TICKS = 5


@dataclass(frozen=True)
class Series:
    """A line: ``(x, y)`` by rising x. ``label`` stands at its end, if it has one; ``name`` says it in full."""

    label: str
    points: Sequence[tuple[float, float]]
    colour: int
    name: str = ""


@dataclass(frozen=True)
class Line:
    """A series in the units of the page; its label stands beside its end, above that where other lines go on."""

    path: str
    end: tuple[float, float]
    label: str
    label_at: tuple[float, float]
    colour: int
    name: str


@dataclass(frozen=True)
class Tick:
    """A place along an axis, and what stands there."""

    at: float
    text: str


@dataclass(frozen=True)
class LineChart:
    """Lines over epochs.

    Attributes:
        title: what is measured.
        description: the same for those who do not see it: where each line begins and ends.
        left: where the lines begin, beside the values of the vertical axis.
        right: where they end at most, beside their labels.
        mark: an epoch that stands out.
    """

    title: str
    description: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    left: float
    right: float
    mark: Tick | None
    width: float = WIDTH
    height: float = HEIGHT
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM


@dataclass(frozen=True)
class Strip:
    """A value, and perhaps an interval and an inner one, as percent of the length of an axis."""

    value: float
    low: float | None = None
    high: float | None = None
    inner: tuple[float, float] | None = None
    colour: int = 1


def line_chart(
    title: str, series: Sequence[Series], from_zero: bool = False, mark: tuple[int, str] | None = None
) -> LineChart | None:
    """None where there is nothing to draw.

    Args:
        title: what is measured.
        series: lines over epochs.
        from_zero: whether the vertical axis begins there.
        mark: an epoch, and what it is.
    """
    series = [each for each in series if each.points]
    if not series:
        return None
    xs = [x for each in series for x, _ in each.points]
    ys = [y for each in series for _, y in each.points] + ([0.0] if from_zero else [])
    longest = max(len(each.label) for each in series)
    right = WIDTH - min(120.0, 14 + _LETTER * longest)
    x_range = (min(xs), max(xs)) if max(xs) > min(xs) else (xs[0] - 0.5, xs[0] + 0.5)
    y_values = _nice(min(ys), max(ys))
    left = 12 + _LETTER * max(len(f"{y:g}") for y in y_values)
    x_place = _scale(*x_range, left, right)
    y_place = _scale(y_values[0], y_values[-1], HEIGHT - _BOTTOM, _TOP)
    ends = [y_place(each.points[-1][1]) for each in series]
    stops = [x_place(each.points[-1][0]) for each in series]
    beside = [number for number, each in enumerate(series) if each.label and stops[number] > right - 1]
    label_y = dict(zip(beside, _apart([ends[number] for number in beside], HEIGHT - _BOTTOM), strict=True))
    return LineChart(
        title,
        f"{title} by epoch. " + " ".join(map(_said, series)),
        tuple(
            Line(
                "M" + "L".join(f"{x_place(x):.1f},{y_place(y):.1f}" for x, y in each.points),
                (round(stops[number], 1), round(end, 1)),
                each.label,
                (round(stops[number] + 9, 1), round(label_y[number] + 4 if number in label_y else end - 6, 1)),
                each.colour,
                each.name or each.label,
            )
            for number, (each, end) in enumerate(zip(series, ends, strict=True))
        ),
        tuple(
            Tick(round(x_place(x), 1), f"{x:g}")
            for x in _nice(*x_range, whole=True)
            if x_range[0] <= x <= x_range[1]
        ),
        tuple(Tick(round(y_place(y), 1), f"{y:g}") for y in y_values),
        left,
        right,
        Tick(round(x_place(mark[0]), 1), mark[1]) if mark else None,
    )  # fmt: skip


def strips_axis(values: Iterable[float]) -> tuple[float, float]:
    """The ends of an axis of round numbers that holds all values."""
    found = list(values)
    places = _nice(min(found), max(found))
    return places[0], places[-1]


def strip(
    axis: tuple[float, float],
    value: float,
    interval: tuple[float, float] | None = None,
    inner: tuple[float, float] | None = None,
    colour: int = 1,
) -> Strip:
    """A value along an axis, with an interval and, within that, another."""
    place = _scale(*axis, 0, 100)
    ends = [round(place(end), 2) for end in interval] if interval else [None, None]
    within = (round(place(inner[0]), 2), round(place(inner[1]), 2)) if inner else None
    return Strip(round(place(value), 2), ends[0], ends[1], within, colour)


def _nice(low: float, high: float, whole: bool = False) -> list[float]:
    """Round numbers from at most the one to at least the other, one at least apart."""
    from matplotlib.ticker import MaxNLocator

    if high <= low:
        low, high = low - 0.5 * abs(low or 1), high + 0.5 * abs(high or 1)
    ticks = MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1 if whole else 2)
    return [float(value) + 0.0 for value in ticks.tick_values(low, high)]  # no -0


def _scale(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    return lambda value: start + (value - low) / (high - low) * (end - start)


def _apart(places: Sequence[float], high: float) -> list[float]:
    """The places of labels, moved so that none covers another and none goes beyond ``high``."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    found = list(places)
    for before, number in pairwise(order):
        found[number] = max(found[number], found[before] + _LINE)
    for number in reversed(order):
        found[number] = min(found[number], high)
        high = found[number] - _LINE
    return found


def _said(series: Series) -> str:
    (first, begin), (last, end) = series.points[0], series.points[-1]
    name = series.name or series.label
    if first == last:
        return f"{name}: {end:.4g} at epoch {last:g}."
    return f"{name}: {begin:.4g} at epoch {first:g}, {end:.4g} at epoch {last:g}."
