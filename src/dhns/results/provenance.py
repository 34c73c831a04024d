"""What the numbers of several runs rest on: their graphs, features and programs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dhns.errors import InputError

SHORT = 8
"""Digits of a fingerprint that people are shown."""
QUERIES = ("train", "valid", "test", "filter_only", "entities", "relations")
"""Parts of a graph on which the queries and their filter rest; a modality is what a system makes of them."""
_PROGRAMS = ("dhns", "torch", "pytorch-lightning", "python")


def data_labels(results: Sequence[dict[str, Any]]) -> list[str]:
    """The data set of each result: its name, with a short fingerprint where results of one name differ in the data.

    Results without fingerprints, as the first versions wrote them, are of a data set of their own.
    """
    keys = [_data_key(result) for result in results]
    names = [name for name, _ in dict.fromkeys(keys)]
    return [name if names.count(name) == 1 else f"{name} #{digest or 'unknown'}" for name, digest in keys]


def differing_parts(results: Iterable[dict[str, Any]]) -> list[str]:
    """The parts of the graph, other than modalities, in which results differ."""
    prints = [result.get("fingerprints") or {} for result in results]
    return [part for part in QUERIES if len({found.get(part) for found in prints if found}) > 1]


def _data_key(result: dict[str, Any]) -> tuple[str, str]:
    prints = result.get("fingerprints") or {}
    whole = "\n".join(f"{part} {prints.get(part)}" for part in QUERIES)
    return result["dataset"], hashlib.sha256(whole.encode()).hexdigest()[:SHORT] if prints else ""


def require_one_graph(dataset: str, results: dict[Path, dict[str, Any]]) -> None:
    """Check that results by run folder agree in every part of the graph that they have.

    A modality may be left out, but not replaced, unless by a control of `dhns.graph.feature_controls`.

    Raises:
        InputError: two runs differ; the message names them.
    """
    seen: dict[str, tuple[str, Path]] = {}
    for folder, result in results.items():
        for part, fingerprint in (result.get("fingerprints") or {}).items():
            expected, first = seen.setdefault(f"{part}{_control(part, result)}", (fingerprint, folder))
            if fingerprint != expected:
                raise InputError(
                    f"the runs of one table differ in '{part}' of {dataset}: {first} has {expected[:SHORT]}, {folder} "
                    f"{fingerprint[:SHORT]}; move away the folder of the one whose data are not what you mean"
                )


def data_facts(results: Collection[dict[str, Any]]) -> dict[str, str]:
    """Splits and features by name and short fingerprint, and what the protocol changed for all."""
    prints: dict[str, str] = {}
    features: dict[str, str] = {}
    for result in results:
        modalities = result["config"]["dataset"].get("modalities") or {}
        for part, whole in (result.get("fingerprints") or {}).items():
            prints[part] = f"#{whole[:SHORT]}"
            if (name := part.removeprefix("modality/")) != part:
                features[f"{name}{_control(part, result)}"] = f"{_file_name(modalities[name])} {prints[part]}"
    facts = {
        "splits": ", ".join(f"{split} {prints[split]}" for split in ("train", "valid", "test") if split in prints),
        "features": ", ".join(f"{name} {told}" for name, told in features.items()),
        "protocol notes": "; ".join(shared_notes(results)),
    }
    return {name: value for name, value in facts.items() if value}


def shared_notes(results: Iterable[dict[str, Any]]) -> list[str]:
    """What all results say of their graphs."""
    all_notes = [result["protocol"]["notes"] for result in results]
    return (
        [note for note in dict.fromkeys(all_notes[0]) if all(note in notes for notes in all_notes)] if all_notes else []
    )


def _control(part: str, result: Mapping[str, Any]) -> str:
    """What a control made of a modality, as an addition to its name; empty where there was none."""
    control = result["config"].get("features") or {}
    name, chosen = part.removeprefix("modality/"), control.get("modalities")
    if name == part or not control or (chosen is not None and name not in chosen):
        return ""
    return f" ({control.get('kind')}, seed {control.get('seed')})"


def _file_name(modality: Any) -> str:
    path = modality.get("path") if isinstance(modality, dict) else modality
    return Path(str(path)).name


def version_facts(results: Collection[dict[str, Any]]) -> str:
    """Of the programs that numbers depend on; several where the runs had several."""
    found = {name: sorted({result["versions"].get(name, "?") for result in results}) for name in _PROGRAMS}
    return ", ".join(f"{name} {' / '.join(numbers)}" for name, numbers in found.items() if numbers)
