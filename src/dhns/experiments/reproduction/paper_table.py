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
    """

    group: str
    label: str
    entries: dict[str, Entry]
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """The rows on one data set, and what else differs between data sets."""

    dataset: str
    facts: dict[str, str]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class PaperTable:
    """A table, whatever it is written as.

    Attributes:
        facts: how all numbers came about, by name.
        warning: None if the runs had the full budget.
    """

    number: int
    title: str
    metrics: tuple[str, ...]
    protocol: str
    budget: str
    warning: str | None
    facts: dict[str, str]
    sections: tuple[Section, ...]


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
        rows = [_row(cell, results, table.metrics, outputs, shared) for cell in of_dataset]
        baseline = [_baseline(next(iter(found.values())), table.metrics)] if found else []
        sections.append(Section(dataset, data_facts(found.values()), (*baseline, *_placed(rows, table.metrics))))
    facts = {
        "measured": "test split, filtered, realistic ranks, both sides, %; mean ± sample deviation over seeds",
        "paper": "the number printed there; difference: measured less printed, in points",
        "protocol": settings.protocol.name,
        "budget": settings.budget,
        "seeds": ", ".join(map(str, settings.seeds)),
        "versions": version_facts(results.values()),
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
    )


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
