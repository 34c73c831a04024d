"""``dhns compare``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.commands.places import run_folders
from dhns.errors import InputError


@app("compare")
def main(config: DictConfig) -> None:
    """Print a table of all results under a folder; on demand differences and slices, and a file of it all."""
    from dhns.results.comparison import compare, notes
    from dhns.results.comparison_tables import comparison_table, estimates_table
    from dhns.results.export import write_comparison
    from dhns.results.records import require_kind
    from dhns.results.store import find_results
    from dhns.results.systems import data_sets
    from dhns.results.tables import show

    check_split(config.split)
    if config.out is not None:
        require_kind(Path(config.out))
    found = [
        compare(data, config.metric, config.level, config.by, config.against, Path(config.paths.data))
        for data in data_sets(find_results(run_folders(config.runs), config.split), config.split)
    ]
    lines = notes(found, config.against)
    show(comparison_table(found), config.markdown)
    for comparison in found:
        if comparison.against or (config.by and comparison.slices):
            print()
            show(estimates_table(comparison), config.markdown)
    for line in lines:
        print(f"note: {line}")
    if config.out is not None:
        write_comparison(Path(config.out), found)
        print(f"written: {config.out}")


def check_split(name: str) -> None:
    """Raise `InputError` unless results hold the split."""
    if name not in ("valid", "test"):
        raise InputError(f"results hold no split '{name}'; use valid or test")
