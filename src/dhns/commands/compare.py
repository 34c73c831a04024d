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

    if config.split not in ("valid", "test"):
        raise InputError(f"results hold no split '{config.split}'; use valid or test")
    table = comparison([result for _, result in find_results(Path(config.runs))], config.split)
    show(table, config.markdown)
