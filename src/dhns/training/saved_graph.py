"""The graph of a run, kept in its folder, so that the model can be used wherever the folder goes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import save
from torch import Tensor

from dhns.errors import InputError
from dhns.files import link, write_bytes
from dhns.graph.features import read_modality
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Modality, Vocabulary

FILE_NAME = "graph.safetensors"
FEATURES = "features"
"""Folder of the run that holds a file of features per modality."""
_SHARED = ".features"
_POINT = "point to the data with dataset.folder=PATH"


def save_graph(graph: KnowledgeGraph, folder: Path, outputs: Path) -> None:
    """Write triples, names and features into a run's folder.

    Features lie once under ``outputs/.features``, and the folders of runs hold hard links to them: a hundred runs of
    one data set take the room of one, and each folder is whole by itself. Across file systems they are copied.
    """
    prints = fingerprint(graph)
    triples = {split: graph.split(split) for split in SPLITS} | {"filter_only": graph.filter_only}
    tensors = {name: rows.int().contiguous() for name, rows in triples.items()}
    tensors |= {f"removed/{name}": mask for name, mask in graph.removed.items()}
    about = {
        "name": graph.name,
        "notes": graph.notes,
        "modalities": list(graph.modalities),
        **{
            names.kind: {"keys": names.keys, "labels": None if names.keys == names.labels else names.labels}
            for names in (graph.entities, graph.relations)
        },
    }
    for name, modality in graph.modalities.items():
        shared = outputs / _SHARED / f"{prints[f'modality/{name}'][:32]}.safetensors"
        if not shared.is_file():
            write_bytes(shared, save(_present_rows(modality)))
        link(shared, folder / FEATURES / f"{name}.safetensors")
    write_bytes(folder / FILE_NAME, save(tensors, {"graph": json.dumps(about)}))


def remove_saved_graph(folder: Path) -> None:
    """Leave nothing of the graph of an earlier run in a folder whose run keeps none."""
    (folder / FILE_NAME).unlink(missing_ok=True)
    shutil.rmtree(folder / FEATURES, ignore_errors=True)


def load_saved_graph(folder: Path, remedy: str = _POINT) -> KnowledgeGraph:
    """The graph as it was saved; features whose file is gone end only what reads them.

    Args:
        folder: of the run.
        remedy: what else than restoring the file helps, for messages.

    Raises:
        InputError: a file is missing or damaged.
    """
    path = folder / FILE_NAME
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["graph"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} holds no readable graph ({error}); {remedy}") from None
    entities, relations = (_vocabulary(kind, about[kind]) for kind in ("entity", "relation"))
    files = {name: folder / FEATURES / f"{name}.safetensors" for name in about["modalities"]}
    absent = {
        name: f"{file}: the {name} features of this run are not there; put the file back, or {remedy}"
        for name, file in files.items()
        if not file.is_file()
    }
    try:
        features = {name: read_modality(file, len(entities)) for name, file in files.items() if name not in absent}
    except InputError as error:
        raise InputError(f"{error}; or {remedy}") from None
    return KnowledgeGraph(
        about["name"],
        entities,
        relations,
        train=tensors["train"].long(),
        valid=tensors["valid"].long(),
        test=tensors["test"].long(),
        modalities=features,
        filter_only=tensors["filter_only"].long(),
        removed={name.removeprefix("removed/"): mask for name, mask in tensors.items() if name.startswith("removed/")},
        notes=tuple(about["notes"]),
        absent=absent,
    )


def _present_rows(modality: Modality) -> dict[str, Tensor]:
    """As `dhns.graph.features.read_modality` takes them."""
    if modality.present.all():
        return {"features": modality.features.contiguous()}
    index = modality.present.nonzero().flatten()
    return {"features": modality.features[index].contiguous(), "index": index}


def _vocabulary(kind: str, names: Mapping[str, list[str] | None]) -> Vocabulary:
    keys = tuple(names["keys"] or ())
    return Vocabulary(kind, keys, tuple(names["labels"] or keys))
