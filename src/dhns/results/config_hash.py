"""The identity of a run: a hash of its settings."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.results.store import RESULT_VERSION

IGNORED = frozenset({"hydra", "paths", "logger", "progress", "run_dir", "force", "seed", "cell", "download", "mirror"})
"""Settings that do not change a run's numbers, and the seed, which names a folder of its own."""
IGNORED_OF_TRAINER = frozenset({"accelerator", "devices", "strategy", "log_every_n_steps"})
BUDGET = frozenset({"budget", "epochs", "validations", "valid_triples"})
"""Settings that matter only through those that they set, `SET_BY_BUDGET`."""
NEUTRAL = {
    "missing": {},
    "encoder.absent": "mask",
    "diffheg.generator.int8": False,
    "acceleration": {
        "_target_": "dhns.training.acceleration.Acceleration",
        "matmul_precision": "highest",
        "compile": False,
    },
}
"""Settings younger than stored results, and the values at which they change nothing: there the hash leaves them out."""
SET_BY_BUDGET = ("trainer.max_epochs", "trainer.check_val_every_n_epoch", "data.valid_triples")


def config_hash(config: DictConfig) -> str:
    """Eight hexadecimal digits of the SHA-256 of all settings that change a run's numbers.

    Interpolations enter as written, so that the hash does not depend on where folders lie; but what a budget sets
    enters as the number that it comes to, so that a run is the same run whichever way the number was given.
    """
    settings: Any = OmegaConf.to_container(config, resolve=False)
    settings = {key: value for key, value in settings.items() if key not in IGNORED | BUDGET}
    for key in SET_BY_BUDGET:
        group, name = key.split(".")
        if name in settings.get(group, {}):
            settings[group][name] = OmegaConf.select(config, key)
    trainer = settings.get("trainer") or {}
    settings["trainer"] = {
        key: value
        for key, value in trainer.items()
        if key not in IGNORED_OF_TRAINER and not str(key).startswith("enable_")
    }
    for key, value in NEUTRAL.items():
        *groups, name = key.split(".")
        holder = functools.reduce(lambda node, group: node.get(group) or {}, groups, settings)
        if holder.get(name) == value:
            del holder[name]
    text = json.dumps([RESULT_VERSION, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
