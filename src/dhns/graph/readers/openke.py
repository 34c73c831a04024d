"""Data sets in OpenKE's layout: files of ids, and files that name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.features import ModalitySource, read_modalities
from dhns.graph.inputs import SUFFIXES
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Vocabulary
from dhns.graph.readers.columns import LEFT_OUT, STANDARD, Columns, as_setting, in_standard_order, parse_columns
from dhns.graph.readers.split_files import listing, require_folder
from dhns.graph.readers.vocabularies import in_id_order, make_vocabulary, read_ids, read_pairs, read_texts
from dhns.graph.spelling import spelling_notes
from dhns.graph.text_files import read_counted, read_table, to_integers

COLUMNS = ("head", "tail", "relation")
OPENKE_FILES = ("entity2id.txt", "relation2id.txt", *(f"{split}2id.txt" for split in SPLITS))


def read_openke(
    folder: str | Path,
    name: str,
    modalities: Mapping[str, ModalitySource] | None = None,
    entity_labels: str = "entity_labels.tsv",
    relation_labels: str = "relation_labels.tsv",
    columns: Columns = COLUMNS,
) -> KnowledgeGraph:
    """A data set in OpenKE's layout, as the MMKGC benchmarks are published.

    ``entity2id.txt`` and ``relation2id.txt`` have rows ``name id``, ``train2id.txt``, ``valid2id.txt`` and
    ``test2id.txt`` rows ``head tail relation``, the relation last; the first line of each file is its number of rows.
    The last two may be empty.

    Args:
        folder: of the files.
        name: of the data set, for results.
        modalities: see :func:`dhns.graph.features.read_modalities`.
        entity_labels: TSV file in the folder with the header ``id<TAB>label``; if absent, ``entity2text.txt`` with rows
            ``name<TAB>text``; if that is absent too, labels are the names.
        relation_labels: the same for relations.
        columns: ``head``, ``relation`` and ``tail`` in the order of the files, ``_`` for any that is left out.

    Raises:
        InputError: a file is missing or malformed; the message names the file and the line.
    """
    folder = Path(folder).expanduser()
    _require_files(folder)
    order = parse_columns(columns) or COLUMNS
    entities, entity_notes = _vocabulary(folder, "entity", entity_labels)
    relations, relation_notes = _vocabulary(folder, "relation", relation_labels)
    train, valid, test = (
        _triples(folder / f"{split}2id.txt", len(entities), len(relations), order) for split in SPLITS
    )
    if len(train) == 0:
        raise InputError(f"{folder / 'train2id.txt'}: no training triples")
    features, feature_notes = read_modalities(folder, modalities, entities, train=train)
    alike = spelling_notes(entities, relations, advice="give them one id to make them one")
    notes = (*entity_notes, *relation_notes, *alike, *feature_notes)
    return KnowledgeGraph(name, entities, relations, train, valid, test, features, notes=notes)


def _require_files(folder: Path) -> None:
    needed = ", ".join(OPENKE_FILES)
    require_folder(folder, needed)
    missing = [name for name in OPENKE_FILES if not (folder / name).is_file()]
    if not missing:
        return
    if any((folder / f"train{suffix}").is_file() for suffix in SUFFIXES):
        hint = "dataset=tsv reads triples of names, as this folder seems to hold"
    elif set(missing) <= {"valid2id.txt", "test2id.txt"}:
        hint = "that of a split without triples has the one line 0"
    else:
        hint = listing(folder)
    raise InputError(f"{folder}: {', '.join(missing)} not found; the folder needs {needed}; {hint}")


def _vocabulary(folder: Path, kind: str, labels_file: str) -> tuple[Vocabulary, list[str]]:
    """Names and labels, and what does not match, in words."""
    ids_path, labels_path, texts_path = folder / f"{kind}2id.txt", folder / labels_file, folder / f"{kind}2text.txt"
    keys = read_ids(ids_path, kind)
    if not labels_path.is_file():
        labels, notes = read_texts(texts_path, kind, keys) if texts_path.is_file() else (keys, [])
        return make_vocabulary(kind, keys, labels), notes
    header, *rows = read_table(labels_path)
    if header[:2] != ["id", "label"]:
        shown = "\t".join(header)
        raise InputError(f"{labels_path}, line 1: '{shown}'; the header must be 'id<TAB>label'")
    fields, labels = read_pairs(labels_path, rows, ("id", "label"), first_line=2)
    ids = to_integers(labels_path, [[field] for field in fields], "id", first_line=2).flatten().tolist()
    if len(labels) != len(keys):
        raise InputError(
            f"{labels_path}: {len(labels)} labels, but {ids_path.name} has {len(keys)} rows; one per id is expected"
        )
    return make_vocabulary(kind, keys, in_id_order(labels_path, kind, ids, labels, first_line=2)), []


def _triples(path: Path, num_entities: int, num_relations: int, columns: Sequence[str]) -> Tensor:
    """``(n, 3)`` rows (head, relation, tail) of a file of ids."""
    advice = f"{as_setting((*columns, LEFT_OUT))} leaves out what follows"
    rows = read_counted(path, " ".join(columns), may_be_empty=path.name != "train2id.txt", if_more=advice)
    ids = to_integers(path, in_standard_order(rows, columns), " ".join(STANDARD), first_line=2)
    limits = np.array([num_entities, num_relations, num_entities])
    outside = np.argwhere((ids < 0) | (ids >= limits))
    if len(outside):
        row, column = outside[0]
        raise InputError(
            f"{path}, line {row + 2}: {STANDARD[column]} id {ids[row, column]} is out of range; ids go from 0 to "
            f"{limits[column] - 1}. The columns are {', '.join(columns)}; {as_setting(STANDARD)} takes another order"
        )
    return torch.from_numpy(ids)
