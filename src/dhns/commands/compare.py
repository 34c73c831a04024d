"""``dhns compare``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("compare")
def main(config: DictConfig) -> None:
    """Print one table of all results under a folder."""
    from dhns.results.store import find_results
    from dhns.results.tables import comparison, show

    show(comparison([result for _, result in find_results(Path(config.runs))], config.split))
