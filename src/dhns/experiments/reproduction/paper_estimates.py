"""How sure the rows of a table are: intervals and differences from one of them, from the ranks beside their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dhns.experiments.reproduction.cells import Cell
from dhns.results.comparison import usable_ranks
from dhns.results.estimates import Estimate, slices


def row_estimates(
    cells: Sequence[Cell], results: Mapping[Path, dict[str, Any]], against: str | None, metric: str, level: float
) -> dict[str, Estimate]:
    """By row, what the ranks of its runs on test say; a row is left out unless all its results have ranks.

    Rows that share their runs are one in the correction for their number.

    Args:
        cells: of one data set.
        results: by folder, of the runs that are done.
        against: the row from which the others differ; None where there is none.
        metric: ``mrr`` or ``hits@k``.
        level: of intervals.
    """
    runs = {cell.row: {run.folder: results[run.folder] for run in cell.runs if run.folder in results} for cell in cells}
    folders = {row: tuple(of_row) for row, of_row in runs.items() if of_row}
    rows = {key: row for row, key in folders.items()}
    ranks = usable_ranks([(row, runs[row]) for row in rows.values()], "test")
    if not ranks:
        return {}
    ranked = [list(rows)[place] for place in ranks]
    other = folders.get(against) if against is not None else None
    place = ranked.index(other) if other in ranked else None
    (everything,) = slices(list(ranks.values()), metric, level, against=place)
    found = dict(zip(ranked, everything.estimates, strict=True))
    return {row: found[key] for row, key in folders.items() if key in found}
