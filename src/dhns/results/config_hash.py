"""The identity of a run: a hash of its settings."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.results.store import RESULT_VERSION

IGNORED = frozenset({"hydra", "paths", "logger", "progress", "run_dir", "force", "seed"})
"""Settings that do not change a run's numbers, and the seed, which names a folder of its own."""


def config_hash(config: DictConfig) -> str:
    """Eight hexadecimal digits of the SHA-256 of all settings that change a run's numbers.

    Interpolations enter as written, so that the hash does not depend on where folders lie.
    """
    settings: Any = OmegaConf.to_container(config, resolve=False)
    settings = {key: value for key, value in settings.items() if key not in IGNORED}
    trainer = dict(settings.get("trainer") or {})
    for key in ("accelerator", "devices"):
        trainer.pop(key, None)
    settings["trainer"] = trainer
    text = json.dumps([RESULT_VERSION, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
