"""The same runs for a launcher of Hydra."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from dhns.reproduction.cells import Cell, distinct_runs


def multirun_command(cells: Sequence[Cell]) -> str:
    """A shell command that does all missing runs of the cells as one sweep; a remark if there are none.

    Finished runs that the sweep names as well are not repeated.
    """
    missing = [run for _, run in distinct_runs(cells) if not run.done]
    if not missing:
        return "# nothing is missing"
    experiments = dict.fromkeys(run.experiment for run in missing)
    seeds = dict.fromkeys(str(run.seed) for run in missing)
    folders = (f"{name}={shlex.quote(os.environ[name])}" for name in ("DHNS_DATA", "DHNS_OUTPUTS"))
    sweep = [f"experiment={','.join(experiments)}", *missing[0].settings, f"seed={','.join(seeds)}"]
    return " ".join([*folders, shlex.join(["dhns", "train", "--multirun", *sweep])])
