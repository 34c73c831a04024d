"""A comparison for other programs: JSON with all there is, or a table with a line per system, metric and slice."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dhns.results.comparison import Comparison
from dhns.results.intervals import FLIPS, RESAMPLES
from dhns.results.records import write_records
from dhns.results.schema import METRICS
from dhns.results.systems import System

_FACTS = ("data_set", "system", "config_hash", "negatives", "protocol", "seeds", "metric", "slice", "queries")
_NUMBERS = ("entities", "value", "sd", "low", "high", "against")
_OF_DIFFERENCES = ("difference", "difference_low", "difference_high", "p", "p_corrected")
COLUMNS = (*_FACTS, *_NUMBERS, *_OF_DIFFERENCES)


def write_comparison(path: Path, found: Sequence[Comparison]) -> None:
    """Write shares of one, not percent, as `dhns.results.records.write_records` does."""
    write_records(path, comparison_records(found), COLUMNS, whole=as_json(found))


def as_json(found: Sequence[Comparison]) -> dict[str, Any]:
    """All of it, down to the metrics of every run."""
    return {
        "split": found[0].data.split,
        "metric": found[0].metric,
        "level": found[0].level,
        "resamples": RESAMPLES,
        "flips": FLIPS,
        "data_sets": [_data_set(comparison) for comparison in found],
    }


def comparison_records(found: Sequence[Comparison]) -> Iterator[dict[str, Any]]:
    """By some of `COLUMNS`: of metrics without interval, and of systems without ranks, what is known."""
    for comparison in found:
        for system in comparison.data.systems:
            yield from _lines(comparison, system)


def _data_set(comparison: Comparison) -> dict[str, Any]:
    data = comparison.data
    return {
        "data_set": data.label,
        "fingerprints": data.fingerprints,
        "baseline": data.baseline,
        "against": comparison.against.title if comparison.against else None,
        "systems": [
            {
                "system": system.title,
                "config_hash": system.config_hash,
                "negatives": system.negatives,
                "protocol": system.protocol,
                "features": dict(system.features),
                "runs": [
                    {"folder": str(folder), "seed": result["seed"], "metrics": result["metrics"][data.split]}
                    for folder, result in system.runs.items()
                ],
                "slices": list(_estimates(comparison, system)),
            }
            for system in data.systems
        ],
    }


def _estimates(comparison: Comparison, system: System) -> Iterator[dict[str, Any]]:
    """Of each slice; none without ranks."""
    if system in comparison.ranked:
        place = comparison.ranked.index(system)
        for each in comparison.slices:
            facts = {"slice": each.name, "queries": each.queries, "entities": each.entities}
            yield facts | asdict(each.estimates[place])


def _lines(comparison: Comparison, system: System) -> Iterator[dict[str, Any]]:
    common = {
        "data_set": comparison.data.label,
        "system": system.title,
        "config_hash": system.config_hash,
        "negatives": system.negatives,
        "protocol": system.protocol,
        "seeds": " ".join(map(str, system.seeds)),
    }
    lines = {}
    for metric in METRICS:
        values = system.values(comparison.data.split, metric)
        deviation = statistics.stdev(values) if len(values) > 1 else None
        lines[metric, "all"] = {"slice": "all", "value": statistics.mean(values), "sd": deviation}
    for estimate in _estimates(comparison, system):
        key = (comparison.metric, estimate["slice"])
        lines[key] = lines.get(key, {}) | _flat(estimate, comparison)
    for (metric, _), line in lines.items():
        yield common | {"metric": metric} | line


def _flat(estimate: dict[str, Any], comparison: Comparison) -> dict[str, Any]:
    plain = {name: value for name, value in estimate.items() if name != "difference"}
    if (apart := estimate["difference"]) is None:
        return plain
    numbers = (apart[name] for name in ("value", "low", "high", "p", "corrected"))
    against = comparison.against.title if comparison.against else None
    return plain | dict(zip(_OF_DIFFERENCES, numbers, strict=True)) | {"against": against}
