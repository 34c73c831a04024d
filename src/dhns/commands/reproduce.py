"""``dhns reproduce``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from dhns.commands.app import app
from dhns.commands.arguments import escaped, quoted
from dhns.commands.data_first import may_fetch
from dhns.errors import InputError


def _data_first(config: DictConfig) -> None:
    """Fetch the data sets before anything is run, once for all runs."""
    from dhns.experiments.reproduction.datasets import obtain

    if OmegaConf.is_list(config.overrides):
        # what is composed here is then what the command lines of the runs say
        config.overrides = [escaped(quoted(str(override))) for override in config.overrides]
    # read by the compositions here and in the runs
    os.environ.update(DHNS_DATA=config.paths.data, DHNS_OUTPUTS=config.paths.outputs)
    if not (config.print_jobs or config.render_only):
        obtain(config, may_fetch(config))
        os.environ["DHNS_DOWNLOAD"] = "false"


@app("reproduce", first=_data_first)
def main(config: DictConfig) -> None:
    """Run what a table of the paper lacks, and render it; status 1 if cells remain without a result."""
    from dhns.experiments.reproduction.cells import table_cells
    from dhns.experiments.reproduction.cluster import multirun_commands
    from dhns.experiments.reproduction.datasets import chosen_features, hindrance, read_datasets, told
    from dhns.experiments.reproduction.paper_formats import show_table, write_table
    from dhns.experiments.reproduction.paper_table import paper_table
    from dhns.experiments.reproduction.runner import run_missing, unfinished

    if config.jobs < 1:
        raise InputError(f"jobs is {config.jobs}; at least 1 run at a time")
    datasets = read_datasets(config)
    features = chosen_features(config, datasets)
    cells = table_cells(config, features)
    if config.print_jobs:
        print(*multirun_commands(cells), sep="\n")
        return
    reasons = [hindrance(cell, datasets, features) for cell in cells]
    if not config.render_only:
        for line in told(datasets, features):
            print(line)
        run_missing([cell for cell, reason in zip(cells, reasons, strict=True) if reason is None], config.jobs)
    table = paper_table(config, cells)
    paths = write_table(table, Path(config.paths.outputs) / f"table{table.number}")
    show_table(table)
    print(f"written: {', '.join(map(str, paths))}")
    if lines := list(unfinished(cells, reasons)):
        hint = "render_only=false runs them" if config.render_only else "the same command tries them again"
        print(*lines, hint, sep="\n", file=sys.stderr)
        sys.exit(1)
