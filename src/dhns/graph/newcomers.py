"""Entities that come after training: the folder that tells of them, and the graph with them in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.attributes import is_attribute_table
from dhns.graph.feature_files import SUFFIXES
from dhns.graph.features import read_modalities
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality, Vocabulary
from dhns.graph.readers.row_stream import Fault, Row, RowStream, triple_ids
from dhns.graph.readers.vocabularies import read_vocabulary

NAMES, TRIPLES = "entities.tsv", "triples"


class Told(NamedTuple):
    """A triple as a file has it, and the place to name where it is wrong."""

    place: str
    row: Row | Fault


@dataclass(frozen=True)
class Newcomers:
    """What is known of entities that come after training.

    Attributes:
        names: keys and labels.
        features: by modality and key a vector ``(dim,)``.
        triples: of newcomers, with each other or with entities of the graph.
        notes: what was guessed of the files, in sentences.
    """

    names: Vocabulary
    features: Mapping[str, Mapping[str, Tensor]]
    triples: Sequence[Told]
    notes: tuple[str, ...]

    def join(self, graph: KnowledgeGraph) -> tuple[KnowledgeGraph, Tensor | None]:
        """A graph with them in it, and their triples ``(n, 3)``, None if there are none.

        Raises:
            InputError: see `graph_with` and `triple_ids`; or a triple has no newcomer.
        """
        labels = dict(zip(self.names.keys, self.names.labels, strict=True))
        grown = replace(graph_with(graph, self.names.keys, self.features, labels), notes=(*graph.notes, *self.notes))
        rows = [_ids(grown, graph.num_entities, told) for told in self.triples]
        return grown, torch.tensor(rows) if rows else None


def read_newcomers(folder: Path, modalities: Sequence[str]) -> Newcomers:
    """What a folder tells of entities.

    Args:
        folder: holds ``entities.tsv`` (key<TAB>label); triples, if there are any, in one file ``triples`` with an
            ending of `RowStream`; features of a modality in a file of its name (see
            :func:`dhns.graph.feature_files.read_rows`), rows by key or in the order of ``entities.tsv``.
        modalities: that the model's graph has.

    Raises:
        InputError: a file is missing, damaged or malformed, or numbers come as a table.
    """
    names, notes = read_names(folder)
    tables = [path for name in modalities for path in sorted(folder.glob(f"{name}.*")) if is_attribute_table(path)]
    if tables:
        raise InputError(
            f"{tables[0]}: a table of numbers; how those of the others were standardised is not kept, so give the "
            f"vectors ({tables[0].name.partition('.')[0]}{SUFFIXES[0]}), or move the table elsewhere"
        )
    files: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES):
        if path.stem in files:
            raise InputError(f"{path}: {files[path.stem].name} has features of {path.stem}, too; leave one of them out")
        files[path.stem] = path
    read, more = read_modalities(folder, {name: path.name for name, path in files.items()}, names)
    features = {
        name: {key: modality.features[row] for row, key in enumerate(names.keys) if modality.present[row]}
        for name, modality in read.items()
    }
    triples, guessed = _read_triples(folder)
    return Newcomers(names, features, triples, (*notes, *more, *guessed))


def read_names(folder: Path) -> tuple[Vocabulary, list[str]]:
    """Keys and labels of newcomers, and what was guessed of their file.

    Raises:
        InputError: there is no such folder or file, or it is malformed.
    """
    path = folder / NAMES
    if not path.is_file():
        fault = f"has no {NAMES}" if folder.is_dir() else "no such folder"
        raise InputError(f"{folder}: {fault}; new entities are named in {path}, a row key<TAB>label each")
    names, notes, _ = read_vocabulary(folder, "entity", ())
    return names, notes


def graph_with(
    graph: KnowledgeGraph,
    keys: Sequence[str],
    features: Mapping[str, Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
) -> KnowledgeGraph:
    """A graph with more entities, whose ids follow those that there are.

    Args:
        graph: of a trained model.
        keys: of the newcomers.
        features: by modality and key a vector ``(dim,)``; a newcomer may lack any.
        labels: by key.

    Raises:
        InputError: a key is taken, given twice or a label of another, a modality is not the graph's, or a vector does
            not fit.
    """
    if not keys:
        raise InputError(
            "there are no new entities; name each by its key in labels or features, such as labels={'key': 'Name'}"
        )
    uses, called_so = Counter(keys), set(graph.entities.labels)
    if taken := next((key for key in keys if key in graph.entities.ids or uses[key] > 1), None):
        raise InputError(f"'{taken}' is an entity already, or given twice; a new entity needs a key of its own")
    if called := next((key for key in keys if key in called_so), None):
        other = graph.entities.keys[graph.entities.labels.index(called)]
        raise InputError(f"'{called}' is what {other} is called, and would mean the new one now; give it another key")
    names = Vocabulary(
        graph.entities.kind,
        (*graph.entities.keys, *keys),
        (*graph.entities.labels, *((labels or {}).get(key, key) for key in keys)),
    )
    given = {name: dict(vectors) for name, vectors in (features or {}).items()}
    if foreign := next((name for name in given if name not in graph.modalities), None):
        has = ", ".join(graph.modalities) or "none"
        raise InputError(f"the model's graph has no modality '{foreign}' (it has: {has}); leave it out")
    modalities = {name: _longer(name, one, keys, given.get(name, {})) for name, one in graph.modalities.items()}
    removed = {name: torch.cat([mask, mask.new_zeros(len(keys))]) for name, mask in graph.removed.items()}
    return replace(graph, entities=names, modalities=modalities, removed=removed)


def _longer(name: str, modality: Modality, keys: Sequence[str], vectors: Mapping[str, Any]) -> Modality:
    if stranger := next(iter(vectors.keys() - set(keys)), None):
        raise InputError(f"{name} features of '{stranger}', which is no new entity; leave it out")
    rows = torch.zeros(len(keys), modality.dim, dtype=modality.features.dtype)
    for row, key in enumerate(keys):
        if key in vectors:
            try:
                vector = torch.as_tensor(vectors[key], dtype=torch.float32)
            except (TypeError, ValueError) as error:
                reason = str(error).partition("\n")[0]
                raise InputError(f"{name} features of '{key}': {reason}; expected {modality.dim} numbers") from None
            if vector.shape != (modality.dim,) or not vector.isfinite().all():
                raise InputError(
                    f"{name} features of '{key}' have shape {tuple(vector.shape)}; expected "
                    f"{modality.dim} finite numbers"
                )
            rows[row] = vector
    present = torch.tensor([key in vectors for key in keys])
    return Modality(torch.cat([modality.features, rows]), torch.cat([modality.present, present]))


def _read_triples(folder: Path) -> tuple[list[Told], list[str]]:
    paths = sorted(path for path in folder.glob(f"{TRIPLES}.*") if path.is_file())
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: {paths[0].name} holds triples, too; leave one of them out")
    if not paths:
        return [], []
    stream = RowStream(paths[0])
    triples = [Told(f"{stream.path}, {stream.unit} {row.number}", row) for row in stream]
    return triples, stream.notes


def _ids(graph: KnowledgeGraph, before: int, told: Told) -> tuple[int, int, int]:
    try:
        head, relation, tail = triple_ids(graph, told.row)
    except InputError as error:
        raise InputError(f"{told.place}: {error}") from None
    if max(head, tail) < before:
        raise InputError(f"{told.place}: neither head nor tail is in {NAMES}; give triples of new entities only")
    return head, relation, tail
