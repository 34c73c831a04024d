"""The files that a data set is read from, and their content: what a run's identity rests on. Needs no torch."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dhns.files import LOCK, known_sha256
from dhns.resources import conf_file

STEMS = {"train": ("train",), "valid": ("valid", "val", "dev"), "test": ("test",)}
"""Names of the files of a graph's splits, under which graphs are published, less their `SUFFIXES`."""
SUFFIXES = tuple(f"{suffix}{packed}" for suffix in (".tsv", ".txt", ".csv") for packed in ("", ".gz"))
NAME_FILES = {
    "entities": ("entities.tsv", "entity2id.txt"),
    "relations": ("relations.tsv", "relation2id.txt"),
}
"""Files that fix the ids, the first that is there; others hold labels, which change no number."""
_PUBLISHED = re.compile(r"^ *- name: (\S+)\n(?: +(?!- )\S.*\n)*? +sha256: ([0-9a-f]{64})$", re.MULTILINE)


def inputs(dataset: Mapping[str, Any], outputs: Path | None = None) -> dict[str, Path]:
    """The files that there are, by what they are to the data set: ``train``, ``entities``, ``modality/textual``, ...

    Args:
        dataset: a node of ``conf/dataset``, resolved. Of a reader that is not ours, all files that it names, and those
            anywhere in the folders that it names.
        outputs: folder of runs, which is no data though a folder of data may hold it.
    """
    _, _, reader = str(dataset.get("_target_", "")).rpartition("dhns.graph.readers.")
    found = _READERS[reader](dataset) if reader in _READERS else _named_files(dataset, outputs)
    found |= {f"modality/{name}": path for name, path in feature_files(dataset).items()}
    return {role: path for role, path in found.items() if path.is_file()}


def data_folder(dataset: Mapping[str, Any]) -> Path:
    """The folder of a data set, or that of its only file."""
    return Path(dataset.get("folder") or Path(dataset.get("path") or "").parent).expanduser()


def feature_files(dataset: Mapping[str, Any]) -> dict[str, Path]:
    """The feature file of each modality that a data set names, be it there or not."""
    modalities = dataset.get("modalities") or {}
    paths = {name: source.get("path") if isinstance(source, Mapping) else source for name, source in modalities.items()}
    return {name: data_folder(dataset) / Path(path).expanduser() for name, path in paths.items() if path}


def changed_content(dataset: Mapping[str, Any], outputs: Path | None = None) -> dict[str, str]:
    """SHA-256 by role of all `inputs` but those that are as published (``conf/source``)."""
    published = _published(str(dataset.get("name")))
    digests = {role: (path.name, known_sha256(path)) for role, path in inputs(dataset, outputs).items()}
    return {role: digest for role, (name, digest) in digests.items() if published.get(name) != digest}


@functools.cache
def _published(name: str) -> dict[str, str]:
    """SHA-256 by file name of a published data set; empty where there is none of that name."""
    path = conf_file("source", name.lower().replace("-", "_"))
    return dict(_PUBLISHED.findall(path.read_text(encoding="utf-8"))) if path else {}


def _openke(dataset: Mapping[str, Any]) -> dict[str, Path]:
    files = {"entities": "entity2id.txt", "relations": "relation2id.txt"}
    files |= {split: f"{split}2id.txt" for split in ("train", "valid", "test")}
    # labels change no number
    return {role: Path(dataset["folder"]).expanduser() / name for role, name in files.items()}


def _tsv(dataset: Mapping[str, Any]) -> dict[str, Path]:
    folder = Path(dataset["folder"]).expanduser()
    candidates = {split: [f"{stem}{end}" for stem in stems for end in SUFFIXES] for split, stems in STEMS.items()}
    found: dict[str, Path] = {}
    for role, names in candidates.items():
        there = [folder / name for name in names if (folder / name).is_file()]
        # the reader refuses more than one
        found |= {role if path == there[0] else f"{role}/{path.name}": path for path in there}
    for role, alternatives in NAME_FILES.items():
        if path := next((folder / name for name in alternatives if (folder / name).is_file()), None):
            found[role] = path
    return found


def _edge_list(dataset: Mapping[str, Any]) -> dict[str, Path]:
    return {"triples": Path(dataset["path"]).expanduser()}


def _named_files(dataset: Mapping[str, Any], outputs: Path | None) -> dict[str, Path]:
    named = {name: Path(text).expanduser() for name, text in _texts(dataset)}
    inside = {
        f"{name}/{path.relative_to(folder).as_posix()}": path
        for name, folder in named.items()
        for path in _files_below(folder, outputs)
    }
    return named | inside


def _texts(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """The texts of a node, each with the keys that lead to it."""
    if isinstance(node, str):
        yield key, node
    if isinstance(node, list):
        node = dict(enumerate(node))
    if isinstance(node, Mapping):
        for name, child in node.items():
            yield from _texts(child, f"{key}.{name}" if key else str(name))


def _files_below(folder: Path, outputs: Path | None) -> Iterator[Path]:
    """The files anywhere in a folder, but for hidden ones and those of runs."""
    for place, folders, files in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and not (Path(place, name) / LOCK).exists()
            and (outputs is None or Path(place, name).absolute() != outputs.absolute())
        ]
        yield from (Path(place, name) for name in files if not name.startswith("."))


_READERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Path]]] = {
    "read_openke": _openke,
    "read_tsv": _tsv,
    "read_edge_list": _edge_list,
}
