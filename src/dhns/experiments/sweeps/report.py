"""What a sweep ends with."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.table import Table

from dhns.experiments.sweeps.jobs import Job
from dhns.results.tables import show


def report(jobs: Sequence[Job]) -> bool:
    """Print a table from the result files, then what has none, with its log; whether all have one."""
    missing = [job for job in jobs if job.result is None]
    show(sweep_table(jobs))
    for job in missing:
        print(f"no result: {_name(job, jobs)}: {job.reason}; log: {job.log_file}", file=sys.stderr)
    if missing:
        print(f"{len(missing)} of {len(jobs)} jobs have no result; the same command runs them", file=sys.stderr)
    return not missing


def sweep_table(jobs: Sequence[Job]) -> Table:
    """One row per job, in the order of the sweep; of validation, since a sweep is there to choose by it."""
    done = sum(job.result is not None for job in jobs)
    table = Table(title=f"{len(jobs)} jobs, {done} with a result; validation split, filtered, realistic ranks, %")
    for column in ("job", "MRR", "Hits@1", "Hits@10", "epochs", "train s", "folder"):
        table.add_column(column, justify="left" if column in ("job", "folder") else "right", overflow="fold")
    for job in jobs:
        table.add_row(_name(job, jobs), *_cells(job), str(job.folder))
    return table


def _cells(job: Job) -> list[str]:
    if (result := job.result) is None:
        return ["", "", "", "", ""]
    valid = result["metrics"]["valid"]
    percent = [f"{100 * valid[metric]:.2f}" for metric in ("mrr", "hits@1", "hits@10")]
    return [*percent, str(result["epochs"]), f"{result['time']['train_s']:.0f}"]


def _name(job: Job, jobs: Sequence[Job]) -> str:
    """The choices in which the jobs differ."""
    return " ".join(override for override in job.overrides if any(override not in other.overrides for other in jobs))
