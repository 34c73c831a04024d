"""``dhns train``."""

from __future__ import annotations

import math

from omegaconf import DictConfig

from dhns.commands.app import app


@app("train")
def main(config: DictConfig) -> float:
    """Train, rank, store; returns the validation MRR, which a sweeper may maximise, or NaN without validation."""
    from dhns.interruption import stopped_by_signals
    from dhns.results.tables import run_table, show
    from dhns.training.experiment import run

    with stopped_by_signals():
        result = run(config)
    for split in [split for split in ("test", "valid") if split in result["metrics"]][:1]:
        show(run_table(result, split))
    print(f"result: {config.run_dir}/result.json")
    return float(result["metrics"].get("valid", {}).get("mrr", math.nan))
