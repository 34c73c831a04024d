"""``dhns evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("evaluate")
def main(config: DictConfig) -> None:
    """Rank a split with a trained model and print its table."""
    from dhns.results.tables import metrics_table, show
    from dhns.training.checkpoint import load_module
    from dhns.training.device import choose_device
    from dhns.training.experiment import rank_split

    module = load_module(Path(config.checkpoint), choose_device(config.device))
    metrics, _ = rank_split(module, config.split, config.progress and sys.stdout.isatty())
    show(metrics_table(metrics, f"{config.split} split of {module.graph.name}, filtered, realistic ranks, %"))
