"""``dhns compare``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError


@app("compare")
def main(config: DictConfig) -> None:
    """Print one table of all results under a folder."""
    from dhns.results.store import find_results
    from dhns.results.tables import comparison, show

    check_split(config.split)
    table = comparison([result for _, result in find_results(Path(config.runs))], config.split)
    show(table, config.markdown)


def check_split(name: str) -> None:
    """Raise `InputError` unless results hold the split."""
    if name not in ("valid", "test"):
        raise InputError(f"results hold no split '{name}'; use valid or test")
