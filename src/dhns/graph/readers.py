"""Readers of data sets on disk: OpenKE id files, named triples in TSV files, and a single edge list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.features import ModalitySource, read_modalities
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Vocabulary
from dhns.graph.splits import split_keeping_support
from dhns.graph.text_files import (
    read_counted,
    read_labels,
    read_lines,
    require_columns,
    require_distinct,
    require_files,
    to_integers,
)
from dhns.graph.triple_sets import distinct

OPENKE_FILES = ("entity2id.txt", "relation2id.txt", *(f"{split}2id.txt" for split in SPLITS))
TSV_FILES = tuple(f"{split}.tsv" for split in SPLITS)
TSV_COLUMNS = "head relation tail"

Modalities = Mapping[str, ModalitySource]


def read_openke(
    folder: str | Path,
    name: str,
    modalities: Modalities | None = None,
    entity_labels: str = "entity_labels.tsv",
    relation_labels: str = "relation_labels.tsv",
) -> KnowledgeGraph:
    """A data set in OpenKE's layout, as the MMKGC benchmarks are published.

    ``entity2id.txt`` and ``relation2id.txt`` have rows ``name id``, ``train2id.txt``, ``valid2id.txt`` and
    ``test2id.txt`` rows ``head tail relation``, the relation last; the first line of each file is its number of rows.

    Args:
        folder: of the files.
        name: of the data set, for results.
        modalities: see :func:`dhns.graph.features.read_modalities`.
        entity_labels: TSV file in the folder with the header ``id<TAB>label``; if absent, labels are the names.
        relation_labels: the same for relations.

    Raises:
        InputError: a file is missing or malformed; the message names the file and the line.
    """
    folder = Path(folder).expanduser()
    require_files(folder, OPENKE_FILES)
    entities = _openke_vocabulary(folder / "entity2id.txt", "entity", folder / entity_labels)
    relations = _openke_vocabulary(folder / "relation2id.txt", "relation", folder / relation_labels)
    train, valid, test = (
        _openke_triples(folder / f"{split}2id.txt", len(entities), len(relations)) for split in SPLITS
    )
    if len(train) == 0:
        raise InputError(f"{folder / 'train2id.txt'}: no training triples")
    features = read_modalities(folder, modalities, len(entities))
    return KnowledgeGraph(name, entities, relations, train, valid, test, features)


def read_tsv(folder: str | Path, name: str, modalities: Modalities | None = None) -> KnowledgeGraph:
    """A data set of ``train.tsv``, ``valid.tsv`` and ``test.tsv`` with rows ``head<TAB>relation<TAB>tail`` of names.

    A first row that consists of these three words is a header. ``entities.tsv`` and ``relations.tsv``, both optional,
    have the header ``key<TAB>label``; they fix the ids, by row, and may hold entities without triples. Without them ids
    follow the sorted names of all splits.

    Args:
        folder: of the files.
        name: of the data set, for results.
        modalities: see :func:`dhns.graph.features.read_modalities`.

    Raises:
        InputError: a file is missing or malformed, or a name is not in ``entities.tsv`` or ``relations.tsv``; the
            message names the file and the line.
    """
    folder = Path(folder).expanduser()
    require_files(folder, TSV_FILES)
    tables = [_NamedTriples(folder / file) for file in TSV_FILES]
    entities = _tsv_vocabulary(folder / "entities.tsv", "entity", (n for t in tables for n in t.entity_names))
    relations = _tsv_vocabulary(folder / "relations.tsv", "relation", (n for t in tables for n in t.relation_names))
    train, valid, test = (table.to_ids(entities, relations) for table in tables)
    features = read_modalities(folder, modalities, len(entities))
    return KnowledgeGraph(name, entities, relations, train, valid, test, features)


def read_edge_list(
    path: str | Path,
    name: str,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    seed: int = 0,
    modalities: Modalities | None = None,
) -> KnowledgeGraph:
    """A graph in one TSV file of ``head<TAB>relation<TAB>tail``, split by :func:`split_keeping_support`.

    Ids follow the sorted names, so that the split depends on the triples and the seed, not on the order of the rows.

    Args:
        path: of the file; duplicate rows are dropped and noted.
        name: of the data set, for results.
        valid_fraction: share of the triples to validate on.
        test_fraction: share of the triples to test on.
        seed: of the split.
        modalities: see :func:`dhns.graph.features.read_modalities`; paths are relative to the folder of the file.

    Raises:
        InputError: the file is missing or malformed (the message names the line), or the triples cannot be split so.
    """
    path = Path(path).expanduser()
    table = _NamedTriples(path)
    entities = _vocabulary("entity", sorted(set(table.entity_names)))
    relations = _vocabulary("relation", sorted(set(table.relation_names)))
    rows = table.to_ids(entities, relations)
    triples = distinct(rows)
    train, valid, test = split_keeping_support(triples, (valid_fraction, test_fraction), seed)
    notes = [f"split by seed {seed} into {len(train)} train, {len(valid)} valid and {len(test)} test triples"]
    if len(triples) < len(rows):
        notes.insert(0, f"{len(rows) - len(triples)} duplicate rows of {path.name} dropped")
    features = read_modalities(path.parent, modalities, len(entities))
    return KnowledgeGraph(name, entities, relations, train, valid, test, features, notes=tuple(notes))


def _openke_vocabulary(path: Path, kind: str, labels_path: Path) -> Vocabulary:
    rows = read_counted(path, "name id", split=lambda line: line.rsplit(maxsplit=1))
    ids = to_integers(path, [row[1:] for row in rows], "id", first_line=2).flatten().tolist()
    require_distinct(path, [row[0] for row in rows], f"{kind} name", first_line=2)
    keys = _by_id(path, kind, ids, [row[0] for row in rows])
    if not labels_path.is_file():
        return _vocabulary(kind, keys)
    label_ids, labels = read_labels(labels_path, "id")
    integers = to_integers(labels_path, [[field] for field in label_ids], "id", first_line=2).flatten().tolist()
    if len(labels) != len(keys):
        raise InputError(
            f"{labels_path}: {len(labels)} labels, but {path.name} has {len(keys)} rows; one per id is expected"
        )
    return _vocabulary(kind, keys, _by_id(labels_path, kind, integers, labels))


def _by_id(path: Path, kind: str, ids: Sequence[int], values: Sequence[str]) -> list[str]:
    """``values`` in the order of their ids, which must be 0 to n - 1, each once."""
    outside = next((row for row, index in enumerate(ids) if not 0 <= index < len(ids)), None)
    if outside is not None:
        raise InputError(
            f"{path}, line {outside + 2}: {kind} id {ids[outside]} is out of range; the ids of {len(ids)} rows go from "
            f"0 to {len(ids) - 1}"
        )
    require_distinct(path, list(map(str, ids)), f"{kind} id", first_line=2)
    ordered = [""] * len(ids)
    for index, value in zip(ids, values, strict=True):
        ordered[index] = value
    return ordered


def _openke_triples(path: Path, num_entities: int, num_relations: int) -> Tensor:
    """``(n, 3)`` rows (head, relation, tail) of a file whose rows are head, tail, relation."""
    columns = ("head", "tail", "relation")
    rows = read_counted(path, " ".join(columns))
    ids = to_integers(path, rows, " ".join(columns), first_line=2)
    limits = np.array([num_entities, num_entities, num_relations])
    outside = np.argwhere((ids < 0) | (ids >= limits))
    if len(outside):
        row, column = outside[0]
        raise InputError(
            f"{path}, line {row + 2}: {columns[column]} id {ids[row, column]} is out of range; ids go from 0 to "
            f"{limits[column] - 1}. The columns are head, tail, relation, the relation last"
        )
    return torch.from_numpy(ids[:, [0, 2, 1]])


class _NamedTriples:
    """The rows of a TSV file of names, whose line numbers are kept for messages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        rows = [line.split("\t") for line in read_lines(path)]
        self.first_line = 2 if rows[0] == TSV_COLUMNS.split() else 1
        self.rows = rows[self.first_line - 1 :]
        require_columns(path, self.rows, TSV_COLUMNS, self.first_line)
        if not self.rows:
            raise InputError(f"{path}: no triples after the header line")

    @property
    def entity_names(self) -> Iterable[str]:
        return (row[column] for row in self.rows for column in (0, 2))

    @property
    def relation_names(self) -> Iterable[str]:
        return (row[1] for row in self.rows)

    def to_ids(self, entities: Vocabulary, relations: Vocabulary) -> Tensor:
        """``(n, 3)`` int64 of the names, which must all be keys."""
        vocabularies = (entities, relations, entities)
        ids = [{key: index for index, key in enumerate(vocabulary.keys)} for vocabulary in vocabularies]
        try:
            return torch.tensor([[ids[column][name] for column, name in enumerate(row)] for row in self.rows])
        except KeyError:
            row, column = next(
                (i, column) for i, row in enumerate(self.rows) for column in range(3) if row[column] not in ids[column]
            )
        kind = vocabularies[column].kind
        raise InputError(
            f"{self.path}, line {row + self.first_line}: {kind} '{self.rows[row][column]}' is not in the file that "
            f"lists the {kind} keys; add it there"
        )


def _tsv_vocabulary(path: Path, kind: str, names: Iterable[str]) -> Vocabulary:
    """From the file where there is one, else the sorted names."""
    if not path.is_file():
        return _vocabulary(kind, sorted(set(names)))
    return _vocabulary(kind, *read_labels(path, "key"))


def _vocabulary(kind: str, keys: Sequence[str], labels: Sequence[str] | None = None) -> Vocabulary:
    """Where a label is empty, the key stands in."""
    return Vocabulary(kind, tuple(keys), tuple(label or key for key, label in zip(keys, labels or keys, strict=True)))
