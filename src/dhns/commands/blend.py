"""``dhns blend``."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app

SHOWN = 5
"""Weights that are printed, the best first."""


@app("blend")
def main(config: DictConfig) -> None:
    """Average the scores of several runs, by weights chosen on validation, and store that as a run."""
    from dhns.experiments.blending import blend_runs
    from dhns.results.tables import run_table, show
    from dhns.sharing.hub import fetched
    from dhns.training.device import choose_device

    out = Path(config.out).expanduser()
    result, tried = blend_runs(
        [fetched(member) for member in config.members],
        out,
        None if config.weights is None else list(config.weights),
        device=choose_device(config.device),
        trusted=config.trust,
        force=config.force,
        show_progress=config.progress and sys.stdout.isatty(),
    )
    for choice in tried[:SHOWN]:
        print(f"weights {' '.join(f'{weight:.2f}' for weight in choice.weights)} · valid MRR {100 * choice.mrr:.2f}")
    for split in [split for split in ("test", "valid") if split in result["metrics"]][:1]:
        show(run_table(result, split))
    print(f"result: {out}/result.json")
