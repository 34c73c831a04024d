"""A table of the paper beside our own: what result files say of its cells, ready to be written down."""

from __future__ import annotations

import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.experiments.reproduction.cells import Cell, Run
from dhns.experiments.reproduction.paper_estimates import row_estimates
from dhns.results.estimates import Estimate
from dhns.results.provenance import data_facts, require_one_graph, shared_notes, version_facts
from dhns.results.store import read_result

METRIC_NAMES = {"mrr": "MRR", "hits@1": "Hits@1", "hits@3": "Hits@3", "hits@10": "Hits@10"}


@dataclass(frozen=True)
class Entry:
    """A metric of a cell, in percent.

    Attributes:
        mean: over seeds; None without a run.
        sd: sample deviation over seeds; None for fewer than two.
        published: None where the paper prints none.
        place: 1 for the best of its column, 2 for the second best, 0 otherwise; equal as printed is equal.
    """

    mean: float | None = None
    sd: float | None = None
    published: float | None = None
    place: int = 0

    @property
    def difference(self) -> float | None:
        """Measured less published, in points."""
        return None if self.mean is None or self.published is None else self.mean - self.published


@dataclass(frozen=True)
class Row:
    """A row on one data set.

    Attributes:
        notes: what a reader has to know of its numbers, or why they are not there.
        folders: of the runs behind them, relative to the folder of all outputs.
        estimate: of the first metric of the table, as a share of one; None where the runs keep no ranks.
    """

    group: str
    label: str
    entries: dict[str, Entry]
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Section:
    """The rows on one data set, and what else differs between data sets.

    Attributes:
        against: label of the row from which others differ; None where none does.
    """

    dataset: str
    facts: dict[str, str]
    rows: tuple[Row, ...]
    against: str | None = None

    @property
    def has_intervals(self) -> bool:
        """Whether any row has one."""
        return any(row.estimate is not None for row in self.rows)


@dataclass(frozen=True)
class PaperTable:
    """A table, whatever it is written as.

    Attributes:
        facts: how all numbers came about, by name.
        warning: None if the runs had the full budget.
        level: of intervals, and at which differences are told from none.
    """

    number: int
    title: str
    metrics: tuple[str, ...]
    protocol: str
    budget: str
    warning: str | None
    facts: dict[str, str]
    sections: tuple[Section, ...]
    level: float = 0.95


def paper_table(settings: Any, cells: Sequence[Cell]) -> PaperTable:
    """The table of ``settings`` (``conf/reproduce.yaml``), from the result files of its cells.

    Raises:
        InputError: a result file is damaged, of other settings than its cell, or of another graph than the others.
    """
    table, outputs = settings.table, Path(settings.paths.outputs)
    results = {run.folder: _result(run) for cell in cells for run in cell.runs if run.done}
    sections = []
    for dataset in dict.fromkeys(cell.dataset for cell in cells):
        of_dataset = [cell for cell in cells if cell.dataset == dataset]
        found = {run.folder: results[run.folder] for cell in of_dataset for run in cell.runs if run.folder in results}
        require_one_graph(dataset, found)
        shared = shared_notes(found.values())
        estimates = row_estimates(of_dataset, found, settings.against, table.metrics[0], settings.level)
        rows = [
            replace(_row(cell, results, table.metrics, outputs, shared), estimate=estimates.get(cell.row))
            for cell in of_dataset
        ]
        baseline = [_baseline(next(iter(found.values())), table.metrics)] if found else []
        placed = (*baseline, *_placed(rows, table.metrics))
        facts = data_facts(found.values()) | _facts_on_intervals(rows)
        sections.append(Section(dataset, facts, placed, _against(of_dataset, rows, settings.against)))
    facts = {
        "measured": "test split, filtered, realistic ranks, both sides, %; mean ± sample deviation over seeds",
        "paper": "the number printed there; difference: measured less printed, in points",
        "protocol": settings.protocol.name,
        "budget": settings.budget,
        "seeds": ", ".join(map(str, dict.fromkeys(settings.seeds))),
        "versions": version_facts(results.values()),
        **dict(_readings(sections, METRIC_NAMES[table.metrics[0]], settings.level)),
    }
    warning = None
    if settings.budget != "full":
        warning = f"TRAINING WAS CUT SHORT (budget: {settings.budget}): these numbers are not those of the methods."
    return PaperTable(
        table.number,
        table.title,
        tuple(table.metrics),
        settings.protocol.name,
        settings.budget,
        warning,
        {name: value for name, value in facts.items() if value},
        tuple(sections),
        settings.level,
    )


def _readings(sections: Iterable[Section], metric: str, level: float) -> Iterator[tuple[str, str]]:
    """How to read intervals and differences, where there are any."""
    if any(section.has_intervals for section in sections):
        yield "best", "bold and underlined are the best and second best number of a column, be they apart or not"
        yield (
            f"{100 * level:g} %",
            f"interval of {metric} for other test queries, drawn by query entity; seeds averaged query by query",
        )
    for against in dict.fromkeys(section.against for section in sections if section.against):
        yield (
            f"to {against}",
            f"difference in {metric} on the same queries and its interval; bold where it holds: p, corrected for the "
            f"number of rows (Holm), is at most {1 - level:.2g}",
        )


def _facts_on_intervals(rows: Sequence[Row]) -> dict[str, str]:
    """Which rows of a data set have none, where others have."""
    lacking = [row.label for row in rows if row.seeds and row.estimate is None]
    if not lacking or len(lacking) == sum(bool(row.seeds) for row in rows):
        return {}
    return {"without interval": f"{', '.join(lacking)}: beside a result lie no ranks that are of use"}


def _against(cells: Sequence[Cell], rows: Sequence[Row], against: str | None) -> str | None:
    """The label of the row from which others differ; None where none does."""
    if all(row.estimate is None or row.estimate.difference is None for row in rows):
        return None
    return next(cell.label for cell in cells if cell.row == against)


def _result(run: Run) -> dict[str, Any]:
    result = read_result(run.result_file)
    found = (result["config_hash"], result["seed"])
    if found != (run.config_hash, run.seed):
        raise InputError(
            f"{run.result_file} is of other settings (#{found[0]}, seed {found[1]}) than its cell (#{run.config_hash}, "
            f"seed {run.seed}); move its folder away, and run again"
        )
    return result


def _row(
    cell: Cell, results: dict[Path, dict[str, Any]], metrics: Iterable[str], outputs: Path, shared: Sequence[str]
) -> Row:
    runs = [run for run in cell.runs if run.folder in results]
    found = [results[run.folder] for run in runs]
    entries = {}
    for metric in metrics:
        values = [100 * result["metrics"]["test"][metric] for result in found]
        entries[metric] = Entry(
            statistics.mean(values) if values else None,
            statistics.stdev(values) if len(values) > 1 else None,
            cell.published.get(metric),
        )
    return Row(
        cell.group,
        cell.label,
        entries,
        tuple(run.seed for run in runs),
        tuple(_notes(cell, found, shared)),
        tuple(os.path.relpath(run.folder, outputs) for run in runs),
    )


def _notes(cell: Cell, results: Sequence[dict[str, Any]], shared: Sequence[str]) -> Iterator[str]:
    yield from dict.fromkeys(note for run in results for note in run["protocol"]["notes"] if note not in shared)
    missing = dict.fromkeys(name for result in results for name in result.get("modalities_missing", ()))
    if missing:
        yield f"trained without {', '.join(missing)} features, which the method uses and the data lack"
    failures: dict[str, list[int]] = defaultdict(list)
    for run in cell.runs:
        if run.failure:
            failures[run.failure].append(run.seed)
    for reason, seeds in failures.items():
        yield f"failed (seed {', '.join(map(str, seeds))}): {reason}"
    if 0 < len(results) < len(cell.runs):
        yield f"{len(results)} of {len(cell.runs)} seeds"


def _baseline(result: dict[str, Any], metrics: Iterable[str]) -> Row:
    scores = result["baseline"]["test"]
    entries = {metric: Entry(100 * scores[metric]) for metric in metrics}
    return Row("", "relation frequency (learns nothing)", entries)


def _placed(rows: Sequence[Row], metrics: Iterable[str]) -> list[Row]:
    """The rows with the best and the second best number of every column marked."""
    entries = [dict(row.entries) for row in rows]
    for metric in metrics:
        # compared as printed, so that no reader sees the same number marked differently
        printed = [None if row[metric].mean is None else f"{row[metric].mean:.2f}" for row in entries]
        best = sorted({number for number in printed if number}, key=float, reverse=True)[:2]
        for row, number in zip(entries, printed, strict=True):
            if number in best:
                row[metric] = replace(row[metric], place=1 + best.index(number))
    return [replace(row, entries=marked) for row, marked in zip(rows, entries, strict=True)]
