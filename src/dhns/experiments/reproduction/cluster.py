"""The same runs for a launcher of Hydra."""

from __future__ import annotations

import os
import shlex
from collections import defaultdict
from collections.abc import Sequence

from dhns.experiments.reproduction.cells import TUNED, Cell, Run, distinct_runs
from dhns.resources import OWN_CONF

_MODEL = "model="


def multirun_commands(cells: Sequence[Cell]) -> list[str]:
    """Shell commands that do all missing runs of the cells, or a remark.

    A sweep does those that differ by model and seed alone. Finished runs that a sweep names as well are not repeated.
    """
    missing = defaultdict(list)
    for _, run in distinct_runs(cells):
        if not run.done:
            others = tuple(choice for choice in run.choices if not choice.startswith(_MODEL))
            missing[(*others, *run.settings)].append(run)
    return [_sweep(settings, runs) for settings, runs in missing.items()] or ["# nothing is missing"]


def _sweep(settings: Sequence[str], runs: Sequence[Run]) -> str:
    chosen = (choice.removeprefix(_MODEL) for run in runs for choice in run.choices if choice.startswith(_MODEL))
    models = dict.fromkeys(chosen)
    seeds = dict.fromkeys(str(run.seed) for run in runs)
    names = ("DHNS_DATA", "DHNS_OUTPUTS", *([OWN_CONF] if OWN_CONF in os.environ else []))
    folders = (f"{name}={shlex.quote(os.environ[name])}" for name in names)
    sweep = [TUNED, f"{_MODEL}{','.join(models)}", *settings, f"seed={','.join(seeds)}"]
    return " ".join([*folders, shlex.join(["dhns", "train", "--multirun", *sweep])])
