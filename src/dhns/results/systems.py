"""Stored results as tables show them: by data set, a row per system, a run per seed."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.results import titles
from dhns.results.provenance import QUERIES, SHORT, data_labels

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class System:
    """Runs that differ in nothing but their seed.

    Attributes:
        name: what tells it from the other systems of its data set.
        config_hash: of its settings.
        negatives: what drew them.
        features: their fingerprints, by part of the graph.
        runs: results by folder, one per seed.
    """

    name: str
    config_hash: str
    negatives: str
    protocol: str
    features: Mapping[str, str]
    runs: Mapping[Path, dict[str, Any]]

    @property
    def title(self) -> str:
        """Name and short hash."""
        return f"{self.name} #{self.config_hash}"

    @property
    def seeds(self) -> list[int]:
        """Of its runs."""
        return [result["seed"] for result in self.runs.values()]

    def values(self, split: str, metric: str) -> list[float]:
        """A metric of each run; empty unless all have it."""
        found = [result["metrics"][split].get(metric) for result in self.runs.values()]
        return [] if None in found else found

    def goes_by(self, name: str) -> bool:
        """Whether that is its hash, with or without ``#``, its name, or the name of its model."""
        models = {result["system"] for result in self.runs.values()}
        return name in {self.title, self.name, self.config_hash, f"#{self.config_hash}", *models}


@dataclass(frozen=True, eq=False)
class DataSet:
    """Systems that were trained and ranked on the same triples, from the least MRR to the greatest.

    Attributes:
        name: which others may have, too.
        label: the name, with a short fingerprint if there are others of that name.
        split: on which they are compared.
    """

    name: str
    label: str
    split: str
    systems: tuple[System, ...]

    @cached_property
    def results(self) -> list[dict[str, Any]]:
        """Of all its runs."""
        return [result for system in self.systems for result in system.runs.values()]

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of the parts that all its runs share; empty where no result says."""
        stated = self.results[0].get("fingerprints") or {}
        return {part: stated[part] for part in QUERIES if part in stated}

    @property
    def baseline(self) -> dict[str, float]:
        """What learns nothing measures; empty where no result says."""
        stated = ((result.get("baseline") or {}).get(self.split) for result in self.results)
        return next(filter(None, stated), {})

    def named(self, name: str) -> System | None:
        """The system that goes by a name; None if none does.

        Raises:
            InputError: several do.
        """
        found = [system for system in self.systems if system.goes_by(name)]
        if len(found) > 1:
            choices = ", ".join(f"#{system.config_hash}" for system in found)
            raise InputError(
                f"{name} may be any of {len(found)} rows of {self.label} ({choices}); give the hash of one, or set "
                "runs to a folder that holds only one"
            )
        return found[0] if found else None


def data_sets(found: Sequence[tuple[Path, dict[str, Any]]], split: str = "test") -> list[DataSet]:
    """Results by data set, in order of their labels.

    Of two results of one system and seed the second is left out, with a warning.

    Args:
        found: as `dhns.results.store.find_results` gives them.
        split: on which the systems are compared.
    """
    labels = data_labels([result for _, result in found])
    by_label: dict[str, dict[Path, dict[str, Any]]] = {}
    for label, (path, result) in zip(labels, found, strict=True):
        by_label.setdefault(label, {})[path.parent] = result
    return [
        DataSet(next(iter(runs.values()))["dataset"], label, split, _systems(runs, split))
        for label, runs in sorted(by_label.items())
    ]


def distinct_seeds(runs: Mapping[Path, dict[str, Any]]) -> dict[Path, dict[str, Any]]:
    """Runs of one system by folder, the first of every seed."""
    first: dict[int, Path] = {}
    for folder, result in runs.items():
        if (kept := first.setdefault(result["seed"], folder)) != folder:
            log.warning("left out: %s repeats seed %s of %s", folder, result["seed"], kept)
    return {folder: runs[folder] for folder in first.values()}


def _systems(runs: Mapping[Path, dict[str, Any]], split: str) -> tuple[System, ...]:
    rows: dict[tuple[Any, ...], dict[Path, dict[str, Any]]] = {}
    for folder, result in runs.items():
        key = (*_shown(result), result["config_hash"], tuple(sorted(_features(result).items())))
        rows.setdefault(key, {})[folder] = result
    firsts = [next(iter(row.values())) for row in rows.values()]
    systems = [
        System(name, first["config_hash"], *_shown(first)[1:], _features(first), distinct_seeds(row))
        for name, first, row in zip(_names(firsts), firsts, rows.values(), strict=True)
    ]
    return tuple(sorted(systems, key=lambda system: statistics.mean(system.values(split, "mrr"))))


def _shown(result: dict[str, Any]) -> tuple[str, str, str]:
    """Name, sampler and protocol."""
    return titles.name(result), titles.sampler(result), result["protocol"]["name"]


def _features(result: dict[str, Any]) -> dict[str, str]:
    """Fingerprints of what a system may make of the queries, by part."""
    return {part: digest for part, digest in (result.get("fingerprints") or {}).items() if part not in QUERIES}


def _names(results: Sequence[dict[str, Any]]) -> list[str]:
    """The names of systems; where a table would show several alike, with the features and settings that differ."""
    alike: dict[tuple[str, ...], list[int]] = {}
    for row, result in enumerate(results):
        alike.setdefault(_shown(result), []).append(row)
    names = [titles.name(result) for result in results]
    for rows in (rows for rows in alike.values() if len(rows) > 1):
        parts = dict.fromkeys(part for row in rows for part in _features(results[row]))
        settings = [
            {part: f"#{_features(results[row]).get(part, 'none')[:SHORT]}" for part in parts}
            | titles.settings(results[row]["config"])
            for row in rows
        ]
        for row, differing in zip(rows, titles.differences(settings), strict=True):
            names[row] = f"{names[row]} {differing}".rstrip()
    return names
