"""Results by what was taken away from their graphs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from dhns.errors import InputError
from dhns.results.config_hash import config_hash
from dhns.results.provenance import require_one_graph
from dhns.results.tables import taken_away, title


class Setting(NamedTuple):
    """Where a result stands in the curves of a data set.

    Attributes:
        dataset: its name.
        system: title of the run of the same settings from which nothing was taken away.
        strategy: who lost modalities first, and which ones if not all; empty where nothing is missing.
        share: of the entities that lost them.
    """

    dataset: str
    system: str
    strategy: str
    share: float


def by_missing(found: Iterable[tuple[Path, dict[str, Any]]]) -> dict[Setting, list[dict[str, Any]]]:
    """Results by setting, in order, of systems that were also run with missing modalities.

    Raises:
        InputError: nothing is missing from any result, or results of one strategy and share differ in their masks.
    """
    settings: dict[Setting, dict[Path, dict[str, Any]]] = {}
    for path, result in found:
        settings.setdefault(_setting(result), {})[path.parent] = result
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
    return {s: list(settings[s].values()) for s in sorted(settings) if (s.dataset, s.system) in shown}


def _setting(result: dict[str, Any]) -> Setting:
    missing = result["config"].get("missing") or {}
    config = {**result["config"], "missing": {}}
    whole = result | {"config": config, "config_hash": config_hash(OmegaConf.create(config))}
    return Setting(result["dataset"], title(whole), taken_away(missing), missing.get("share", 0.0))
