"""Data sets of named triples, one file a split."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from dhns.graph.features import ModalitySource, read_modalities
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph
from dhns.graph.readers.columns import Columns
from dhns.graph.readers.named_triples import Header, read_named_triples
from dhns.graph.readers.split_files import find_splits
from dhns.graph.readers.vocabularies import read_vocabulary
from dhns.graph.spelling import NORMALIZE, spelling_notes


def read_tsv(
    folder: str | Path,
    name: str,
    modalities: Mapping[str, ModalitySource] | None = None,
    header: Header = "auto",
    columns: Columns = "auto",
    normalize: bool = False,
) -> KnowledgeGraph:
    """A data set of ``train.tsv``, ``valid.tsv`` and ``test.tsv`` with rows ``head<TAB>relation<TAB>tail`` of names.

    The files may end in ``.txt`` too, or in ``.csv`` (commas, quotes as in CSV), each packed (``.gz``) or not;
    validation triples may be called ``val`` or ``dev``. Only train must hold triples. Names and labels of entities and
    relations: see :func:`dhns.graph.readers.vocabularies.read_vocabulary`.

    Args:
        folder: of the files.
        name: of the data set, for results.
        modalities: see :func:`dhns.graph.features.read_modalities`.
        header: true where the first row of each file is a header, false where it is a triple; ``auto`` looks, see
            :func:`dhns.graph.readers.header.find_headers`.
        columns: ``head``, ``relation`` and ``tail`` in the order of the files, ``_`` for any that is left out; ``auto``
            takes the order of the header, else this one, and refuses files to which it does not seem to apply.
        normalize: write names in Unicode's composed form, without spaces at the ends or double ones inside.

    Raises:
        InputError: a file is missing or malformed, or a name is not in the file that lists the keys; the message names
            the file and the line.
    """
    folder = Path(folder).expanduser()
    paths, notes = find_splits(folder)
    files, triple_notes = read_named_triples(list(paths.values()), header, columns, normalize)
    entity_names = {name for file in files for name in file.names(0, 2)}
    relation_names = {name for file in files for name in file.names(1)}
    entities, entity_notes, ids_fixed = read_vocabulary(folder, "entity", entity_names, normalize)
    relations, relation_notes, _ = read_vocabulary(folder, "relation", relation_names, normalize)
    ids = {split: file.to_ids(entities, relations) for split, file in zip(paths, files, strict=True)}
    train, valid, test = (ids.get(split, torch.empty(0, 3, dtype=torch.int64)) for split in SPLITS)
    features, feature_notes = read_modalities(folder, modalities, entities, ids_fixed, train)
    alike = spelling_notes(entities, relations, advice=NORMALIZE)
    notes += [*triple_notes, *entity_notes, *relation_notes, *alike, *feature_notes]
    return KnowledgeGraph(name, entities, relations, train, valid, test, features, notes=tuple(notes))
