"""``dhns reproduce``."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.commands.data_first import may_fetch
from dhns.errors import InputError

if TYPE_CHECKING:
    from dhns.reproduction.cells import Cell

SHOWN = 8
"""Runs without a result that are named for each reason."""


def _data_first(config: DictConfig) -> None:
    """Fetch the data sets before anything is run, once for all runs."""
    from dhns.reproduction.datasets import obtain

    # read by the compositions here and in the runs
    os.environ.update(DHNS_DATA=config.paths.data, DHNS_OUTPUTS=config.paths.outputs)
    if not (config.print_jobs or config.render_only):
        obtain(config, may_fetch(config))
        os.environ["DHNS_DOWNLOAD"] = "false"


@app("reproduce", first=_data_first)
def main(config: DictConfig) -> None:
    """Run what a table of the paper lacks, and render it; status 1 if cells remain without a result."""
    from dhns.reproduction.cells import table_cells
    from dhns.reproduction.cluster import multirun_command
    from dhns.reproduction.datasets import features_of, read_datasets
    from dhns.reproduction.paper_formats import show_table, write_table
    from dhns.reproduction.paper_table import paper_table
    from dhns.reproduction.runner import run_missing

    if config.jobs < 1:
        raise InputError(f"jobs is {config.jobs}; at least 1 run at a time")
    datasets = read_datasets(config)
    cells = table_cells(config, features_of(datasets, config.features))
    if config.print_jobs:
        print(multirun_command(cells))
        return
    absent = {dataset.name for dataset in datasets if not dataset.there}
    if not config.render_only:
        run_missing([cell for cell in cells if cell.dataset not in absent], config.jobs)
    table = paper_table(config, cells)
    paths = write_table(table, Path(config.paths.outputs) / f"table{table.number}")
    show_table(table)
    print(f"written: {', '.join(map(str, paths))}")
    if unfinished := list(_unfinished(cells, absent)):
        hint = "render_only=false runs them" if config.render_only else "the same command tries them again"
        print(*unfinished, hint, sep="\n", file=sys.stderr)
        sys.exit(1)


def _unfinished(cells: Sequence[Cell], absent: Collection[str]) -> Iterator[str]:
    """Lines on the runs without a result, those of one reason together.

    Args:
        cells: of the table.
        absent: names of data sets that are not there.
    """
    from dhns.reproduction.cells import distinct_runs

    runs_by_reason = defaultdict(list)
    for cell, run in distinct_runs(cells):
        if not run.done:
            reason = f"{cell.dataset} is not there" if cell.dataset in absent else run.failure
            runs_by_reason[reason].append(f"{cell.label}, {cell.dataset}, seed {run.seed}")
    for reason, runs in runs_by_reason.items():
        more = f"; and {len(runs) - SHOWN} more" if len(runs) > SHOWN else ""
        yield f"without a result: {'; '.join(runs[:SHOWN])}{more}"
        if reason:
            yield f"  {reason}"
