"""A graph in one file of named triples, split here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dhns.errors import InputError
from dhns.graph.features import ModalitySource, read_modalities
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.readers.columns import Columns
from dhns.graph.readers.named_triples import Header, read_named_triples
from dhns.graph.readers.split_files import listing
from dhns.graph.readers.vocabularies import make_vocabulary
from dhns.graph.spelling import NORMALIZE, spelling_notes
from dhns.graph.splits import split_keeping_support
from dhns.graph.triple_sets import distinct
from dhns.ranges import BelowOne, Seed


def read_edge_list(
    path: str | Path,
    name: str,
    valid_fraction: BelowOne = 0.1,
    test_fraction: BelowOne = 0.1,
    seed: Seed = 0,
    modalities: Mapping[str, ModalitySource] | None = None,
    header: Header = "auto",
    columns: Columns = "auto",
    normalize: bool = False,
) -> KnowledgeGraph:
    """A graph in one TSV file of ``head<TAB>relation<TAB>tail``, split by :func:`split_keeping_support`.

    Ids follow the sorted names, so that the split depends on the triples and the seed, not on the order of the rows.

    Args:
        path: of the file, or of a CSV file that ends in ``.csv``, packed (``.gz``) or not; duplicate rows are dropped
            and noted.
        name: of the data set, for results.
        valid_fraction: share of the triples to validate on.
        test_fraction: share of the triples to test on.
        seed: of the split.
        modalities: see :func:`dhns.graph.features.read_modalities`; paths are relative to the folder of the file.
        header: as for :func:`dhns.graph.readers.tsv.read_tsv`.
        columns: likewise.
        normalize: likewise.

    Raises:
        InputError: the file is missing or malformed (the message names the line), or the triples cannot be split so.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise InputError(
            f"{path}: a folder, {listing(path)}; dataset=tsv dataset.folder={path} reads a folder, and dataset=edges "
            "one file of triples"
        )
    (table,), notes = read_named_triples([path], header, columns, normalize)
    entities = make_vocabulary("entity", sorted(set(table.names(0, 2))))
    relations = make_vocabulary("relation", sorted(set(table.names(1))))
    rows = table.to_ids(entities, relations)
    triples = distinct(rows)
    train, valid, test = split_keeping_support(triples, (valid_fraction, test_fraction), seed)
    if len(triples) < len(rows):
        notes.append(f"{len(rows) - len(triples)} duplicate rows of {path.name} dropped")
    notes.append(f"split by seed {seed} into {len(train)} train, {len(valid)} valid and {len(test)} test triples")
    features, feature_notes = read_modalities(path.parent, modalities, entities, ids_fixed=False, train=train)
    notes += spelling_notes(entities, relations, advice=NORMALIZE) + feature_notes
    return KnowledgeGraph(name, entities, relations, train, valid, test, features, notes=tuple(notes))
