"""``dhns reproduce``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError

SHOWN = 8
"""Runs without a result that are named at the end."""


@app("reproduce")
def main(config: DictConfig) -> None:
    """Run what a table of the paper lacks, and render it; status 1 if cells remain without a result."""
    from dhns.reproduction.cells import distinct_runs, table_cells
    from dhns.reproduction.cluster import multirun_command
    from dhns.reproduction.paper_formats import show_table, write_table
    from dhns.reproduction.paper_table import paper_table
    from dhns.reproduction.runner import run_missing

    if config.jobs < 1:
        raise InputError(f"jobs is {config.jobs}; at least 1 run at a time")
    # read by the compositions here and in the runs
    os.environ.update(DHNS_DATA=config.paths.data, DHNS_OUTPUTS=config.paths.outputs)
    cells = table_cells(config)
    if config.print_jobs:
        print(multirun_command(cells))
        return
    if not config.render_only:
        run_missing(cells, config.jobs)
    table = paper_table(config, cells)
    paths = write_table(table, Path(config.paths.outputs) / f"table{table.number}")
    show_table(table)
    print(f"written: {', '.join(map(str, paths))}")
    missing = [f"{cell.label}, {cell.dataset}, seed {run.seed}" for cell, run in distinct_runs(cells) if not run.done]
    if missing:
        more = f"; and {len(missing) - SHOWN} more" if len(missing) > SHOWN else ""
        hint = "render_only=false runs them" if config.render_only else "the same command tries them again"
        print(f"without a result: {'; '.join(missing[:SHOWN])}{more}\n{hint}", file=sys.stderr)
        sys.exit(1)
