"""The same runs for a launcher of Hydra."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Sequence

from dhns.experiments.reproduction.cells import Cell, Run, distinct_runs
from dhns.resources import OWN_CONF


def multirun_commands(cells: Sequence[Cell]) -> list[str]:
    """Shell commands that do all missing runs of the cells, a sweep for those that share settings; or a remark.

    Finished runs that a sweep names as well are not repeated.
    """
    missing = defaultdict(list)
    for _, run in distinct_runs(cells):
        if not run.done:
            missing[run.settings].append(run)
    return [_sweep(settings, runs) for settings, runs in missing.items()] or ["# nothing is missing"]


def _sweep(settings: Sequence[str], runs: Sequence[Run]) -> str:
    experiments = dict.fromkeys(run.experiment for run in runs)
    seeds = dict.fromkeys(str(run.seed) for run in runs)
    names = ("DHNS_DATA", "DHNS_OUTPUTS", *([OWN_CONF] if OWN_CONF in os.environ else []))
    folders = (f"{name}={shlex.quote(os.environ[name])}" for name in names)
    sweep = [f"experiment={','.join(experiments)}", *settings, f"seed={','.join(seeds)}"]
    return " ".join([*folders, shlex.join(["dhns", "train", "--multirun", *sweep])])
