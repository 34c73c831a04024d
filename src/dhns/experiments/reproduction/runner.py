"""Run what a table lacks, and say so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

from dhns.console import progress_bar
from dhns.experiments.reproduction.cells import Cell, Run, distinct_runs
from dhns.experiments.reproduction.jobs import Command, run_all, train_command
from dhns.interruption import stopped_by_signals
from dhns.results.store import read_result

SHOWN = 8
"""Runs without a result that are named for each reason."""


def run_missing(cells: Sequence[Cell], jobs: int, command: Command = train_command) -> None:
    """Run every run of the cells that has no result; a failed one is recorded and does not stop the others.

    Raises:
        Stopped: this program was asked to end; the trainings that it started have been stopped.
    """
    pairs = {run.folder: (cell, run) for cell, run in distinct_runs(cells)}
    missing = [run for _, run in pairs.values() if not run.done]
    again = sum(run.failure_file.exists() for run in missing)
    retried = f", {again} of them failed before and are tried again" if again else ""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with stopped_by_signals(), progress_bar(*columns) as bar:
        say = partial(bar.console.print, soft_wrap=True)  # a line of whatever length
        say(f"{len(pairs)} runs, {len(pairs) - len(missing)} done, {len(missing)} to do{retried}")
        task, told = bar.add_task("", total=len(missing)), dict[str, str]()
        with closing(run_all(missing, jobs, command)) as endings:
            for ended in endings:
                cell, run = pairs[ended.run.folder]
                if ended.failure in told:
                    outcome = f"failed as {told[ended.failure]}"
                elif ended.failure:
                    outcome, told[ended.failure] = f"failed: {ended.failure}", f"{cell.label}, {cell.dataset}"
                else:
                    outcome = f"MRR {_test_mrr(run)}"
                say(f"{cell.label}, {cell.dataset}, seed {run.seed}: {outcome} ({ended.seconds:.0f} s)")
                bar.advance(task)


def unfinished(cells: Sequence[Cell], hindrances: Sequence[str | None]) -> Iterator[str]:
    """Lines on the runs of cells that have no result, those of one reason together.

    Args:
        cells: of a table.
        hindrances: why the runs of a cell were not tried, or None.
    """
    runs_by_reason = defaultdict(list)
    hindered = {run.folder: reason for cell, reason in zip(cells, hindrances, strict=True) for run in cell.runs}
    for cell, run in distinct_runs(cells):
        if not run.done:
            reason = hindered[run.folder] or run.failure
            runs_by_reason[reason].append(f"{cell.label}, {cell.dataset}, seed {run.seed}")
    for reason, runs in runs_by_reason.items():
        more = f"; and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
        yield f"without a result: {'; '.join(runs[:SHOWN])}{more}"
        if reason:
            yield f"  {reason}"


def _test_mrr(run: Run) -> str:
    return f"{100 * read_result(run.result_file)['metrics']['test']['mrr']:.2f}"
