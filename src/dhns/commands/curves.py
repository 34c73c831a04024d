"""``dhns curves``."""

from __future__ import annotations

import re

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.commands.compare import check_split
from dhns.commands.places import run_folders
from dhns.errors import InputError
from dhns.names import plain_name


@app("curves")
def main(config: DictConfig) -> None:
    """Print what missing modalities cost, a table per data set, and draw it."""
    from dhns.results.missing import by_missing
    from dhns.results.plots import plot_missing
    from dhns.results.store import find_results
    from dhns.results.tables import missing_table, show

    check_split(config.split)
    folder, *others = run_folders(config.runs)
    if others:
        raise InputError("runs is a list; give one folder, which gets the figures")
    results = by_missing(find_results(folder, config.split))
    for dataset in dict.fromkeys(setting.dataset for setting in results):
        of_dataset = {setting: runs for setting, runs in results.items() if setting.dataset == dataset}
        show(missing_table(of_dataset, config.split), config.markdown)
        name = re.sub(r" #|[/\\]", "-", dataset)
        figure = folder / plain_name(f"missing-{name}.png")
        plot_missing(of_dataset, config.split, figure)
        print(f"figure: {figure}")
