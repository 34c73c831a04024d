"""``dhns train``."""

from __future__ import annotations

import math

from omegaconf import DictConfig, open_dict

from dhns.commands.app import app
from dhns.commands.data_first import data_first

FETCHING = ("download", "mirror")
"""Settings of how data come here: no part of a run, of its checkpoints or of its result."""


@app("train", first=data_first)
def main(config: DictConfig) -> float:
    """Train, rank, store; returns the validation MRR, which a sweeper may maximise, or NaN without validation."""
    from dhns.interruption import stopped_by_signals
    from dhns.results.tables import run_table, show
    from dhns.training.experiment import run
    from dhns.training.launcher import launched

    with open_dict(config):
        for key in FETCHING:
            del config[key]
    folder = config.run_dir  # now: it is named by the data, which may change while the run is at work
    with stopped_by_signals():
        result = run(config)
    objective = float(result["metrics"].get("valid", {}).get("mrr", math.nan))
    if (place := launched()) is not None and place.rank > 0 and "strategy" in config.trainer:
        return objective  # the first process of the training says what came out
    for split in [split for split in ("test", "valid") if split in result["metrics"]][:1]:
        show(run_table(result, split))
    print(f"result: {folder}/result.json")
    return objective
