"""Results by what was taken away from their graphs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.identity import config_hash
from dhns.errors import InputError
from dhns.results.provenance import data_labels, require_one_graph
from dhns.results.systems import distinct_seeds
from dhns.results.titles import taken_away, title

log = logging.getLogger(__name__)


class Setting(NamedTuple):
    """Where a result stands in the curves of a data set.

    Attributes:
        dataset: its label, see `dhns.results.provenance.data_labels`.
        system: title of the run of the same settings from which nothing was taken away.
        strategy: who lost modalities first, and which ones if not all; empty where nothing is missing.
        share: of the entities that lost them.
    """

    dataset: str
    system: str
    strategy: str
    share: float


def by_missing(found: Sequence[tuple[Path, dict[str, Any]]]) -> dict[Setting, list[dict[str, Any]]]:
    """Results by setting, in order, of systems that were also run with missing modalities.

    Raises:
        InputError: nothing is missing from any result, or results of one strategy and share differ in their masks.
    """
    settings: dict[Setting, dict[Path, dict[str, Any]]] = {}
    for label, (path, result) in zip(data_labels([result for _, result in found]), found, strict=True):
        if setting := _setting(path, result, label):
            settings.setdefault(setting, {})[path.parent] = result
    shown = {(setting.dataset, setting.system) for setting in settings if setting.strategy}
    if not shown:
        raise InputError(
            "none of these results is of a run with missing modalities; dhns train missing=random makes one"
        )
    same_mask: dict[tuple[str, str, float], dict[Path, dict[str, Any]]] = {}
    for (dataset, _, strategy, share), results in settings.items():
        same_mask.setdefault((dataset, strategy, share), {}).update(results)
    for (dataset, *_), results in same_mask.items():
        require_one_graph(dataset, results)
    return {
        setting: list(distinct_seeds(settings[setting]).values())
        for setting in sorted(settings)
        if (setting.dataset, setting.system) in shown
    }


def _setting(path: Path, result: dict[str, Any], dataset: str) -> Setting | None:
    """None, with a warning, where the run of which nothing is missing cannot be told."""
    missing = result["config"].get("missing") or {}
    config = {**result["config"], "missing": {}}
    try:
        whole = result | {"config": config, "config_hash": config_hash(OmegaConf.create(config))}
    except (OmegaConfBaseException, TypeError) as error:
        log.warning("left out: %s has settings that cannot be read: %s", path, str(error).splitlines()[0])
        return None
    return Setting(dataset, title(whole), taken_away(missing), missing.get("share") or 0.0)
