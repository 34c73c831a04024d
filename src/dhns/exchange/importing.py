"""A graph of other programs' files, written as the folder that ``dataset=tsv`` reads."""

from __future__ import annotations

import difflib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import unquote

import numpy as np
import torch

from dhns.errors import InputError
from dhns.exchange.gathering import Gathering
from dhns.exchange.options import ReadingOptions
from dhns.exchange.sources import read_source
from dhns.files import replacing_folder, require_place, sha256, write_json
from dhns.graph.attributes import HEADER, to_number
from dhns.graph.knowledge_graph import SPLITS
from dhns.graph.splits import split_keeping_support
from dhns.graph.triple_sets import distinct
from dhns.ranges import BelowOne, Seed

TEXTS, ATTRIBUTES, IMAGES = "texts.tsv", "attributes.tsv", "images.tsv"
DESCRIPTION = "import.json"
_ROWS = 1 << 17  # of triples that are text at once
_SHOWN = 5  # details of a reason, in a table


@dataclass(frozen=True)
class Splitting:
    """How triples are split if their source does not say.

    Attributes:
        valid_fraction, test_fraction: shares of the triples.
        seed: of the draw; see `dhns.graph.splits.split_keeping_support`.
    """

    valid_fraction: BelowOne = 0.1
    test_fraction: BelowOne = 0.1
    seed: Seed = 0


@dataclass
class Import:
    """What was read and written.

    Attributes:
        folder: for ``dataset=tsv``.
        statements: read.
        triples: by split.
        duplicates: triples that their split had already.
        entities, relations: numbers of names.
        blank_nodes: entities without a name.
        values: by file, number of rows and of entities that have some.
        left_out: by reason, number by detail.
        notes: what was guessed, in sentences.
    """

    folder: Path
    statements: int
    triples: dict[str, int]
    duplicates: int
    entities: int
    relations: int
    blank_nodes: int
    values: dict[str, tuple[int, int]]
    left_out: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[str, str]]:
        """For a table of two columns."""
        yield "statements read", f"{self.statements:,}"
        for split, number in self.triples.items():
            yield f"{split} triples", f"{number:,}"
        yield "entities", f"{self.entities:,}" + (f", {self.blank_nodes:,} blank nodes" if self.blank_nodes else "")
        yield "relations", f"{self.relations:,}"
        for name, (rows, entities) in self.values.items():
            yield name, f"{rows:,} of {entities:,} entities"
        if self.duplicates:
            yield "left out: duplicates", f"{self.duplicates:,}"
        for reason, details in self.left_out.items():
            shown = [f"{detail} {number:,}" for detail, number in list(details.items())[:_SHOWN] if detail]
            more = ", ..." if len(details) > _SHOWN else ""
            yield (
                f"left out: {reason}",
                f"{sum(details.values()):,}" + (f" ({', '.join(shown)}{more})" if shown else ""),
            )


def import_graph(
    source: str | Path,
    folder: str | Path,
    kind: str = "auto",
    options: ReadingOptions | None = None,
    splitting: Splitting | None = None,
) -> Import:
    """Read a graph from files of other programs, and write it to a new folder, whole or not at all.

    The folder has ``train.tsv``, ``valid.tsv`` and ``test.tsv``, ``entities.tsv`` and ``relations.tsv`` with labels, in
    the order of the sorted names; and as far as there are values ``texts.tsv``, ``attributes.tsv`` and ``images.tsv``;
    and ``import.json``, which says what it was made from. The same source gives the same files, and the order of
    triples in it changes none of those of triples and names.

    Args:
        source: a file or a folder, see `dhns.exchange.sources.read_source`.
        folder: must not be there, or be empty.
        kind: of the files, by an ending; ``auto`` takes their own.
        options: of the files.
        splitting: of triples without splits.

    Raises:
        InputError: the source cannot be read, holds no triples or none that could be held out, or the folder is taken.
    """
    source, folder = Path(source).expanduser(), Path(folder).expanduser()
    options, splitting = options or ReadingOptions(), splitting or Splitting()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"out={folder} is there already; give another folder, or move it away")
    require_place(folder)
    with replacing_folder(folder) as partial:
        spool = partial / ".values"
        with spool.open("w+", encoding="utf-8", newline="\n") as file:
            gathering = Gathering(file)
            paths = read_source(source, kind, gathering, options)
            _require_used(source, options, gathering)
            made = _write(source, partial, folder, gathering, splitting)
        spool.unlink()
        write_json(
            partial / DESCRIPTION,
            {
                "source": source.name,
                "sha256": {path.name: sha256(path) for path in paths},
                "settings": _settings(options) | asdict(splitting),
                "statements": made.statements,
                "triples": made.triples,
                "duplicates": made.duplicates,
                "values": {name: rows for name, (rows, _) in made.values.items()},
                "left_out": made.left_out,
                "notes": made.notes,
            },
        )
    return made


def _require_used(source: Path, options: ReadingOptions, gathering: Gathering) -> None:
    """Refuse relations that the settings name and nothing was read for."""
    for setting in ("attributes", "categories"):
        for name in sorted(getattr(options, setting) - gathering.of_values):
            if name in gathering.relations:
                why = "it leads to things, not to literals, and RDF, PyKEEN and OGB say themselves what is a value"
            else:
                near = difflib.get_close_matches(name, gathering.relations, n=3) or list(gathering.relations)[:_SHOWN]
                why = f"no relation is called so; there are {', '.join(near)}"
            raise InputError(f"{setting}=[{name}]: nothing in {source} is a value of it: {why}")


def _write(source: Path, partial: Path, folder: Path, gathering: Gathering, splitting: Splitting) -> Import:
    """Everything but the description."""
    if not any(len(rows) for rows in gathering.rows.values()):
        found = f" in {gathering.statements:,} statements" if gathering.statements else ": it holds no statement at all"
        raise InputError(f"{source}: no triples between two entities{found}")
    entities, relations = _Names(gathering.entities), _Names(gathering.relations)
    splits = {split: _by_sorted_names(rows, entities, relations) for split, rows in gathering.rows.items()}
    kept = {split: distinct(torch.from_numpy(rows)) for split, rows in splits.items()}
    duplicates = sum(len(rows) for rows in splits.values()) - sum(map(len, kept.values()))
    notes = list(gathering.notes)
    if gathering.renamed:
        notes.append(f"{len(gathering.renamed):,} names have tabs or line ends in them, for which spaces stand now")
    if None in kept:
        fractions = (splitting.valid_fraction, splitting.test_fraction)
        try:
            parts = split_keeping_support(kept[None], fractions, splitting.seed)
        except InputError as error:
            raise InputError(
                f"{source}: {error}; valid_fraction and test_fraction are these shares, and 0 keeps all for training"
            ) from None
        triples = dict(zip(SPLITS, (part.numpy() for part in parts), strict=True))
        notes.append(f"split by seed {splitting.seed}; every entity and relation stays in train")
    else:
        triples = {split: kept[split].numpy() if split in kept else np.empty((0, 3), np.int64) for split in SPLITS}
        notes += [f"no {split} triples in the source" for split in SPLITS if split not in kept]
        if not len(triples["train"]):
            raise InputError(f"{source}: no training triples between two entities")
    notes += _seeming_numbers(np.concatenate(list(triples.values())), entities.sorted, relations.sorted)
    for split, rows in triples.items():
        _write_triples(partial / f"{split}.tsv", rows, entities.sorted, relations.sorted)
    labels, values = _write_values(partial, gathering)
    for kind, names in (("entities", entities), ("relations", relations)):
        lines = (f"{name}\t{labels.get(name) or local_name(name)}\n" for name in names.sorted)
        _write_lines(partial / f"{kind}.tsv", ("key", "label"), lines)
    return Import(
        folder=folder,
        statements=gathering.statements,
        triples={split: len(rows) for split, rows in triples.items()},
        duplicates=duplicates,
        entities=len(entities.sorted),
        relations=len(relations.sorted),
        blank_nodes=sum(name.startswith("_:b") for name in entities.sorted) if gathering.blank_nodes else 0,
        values=values,
        left_out=_by_reason(gathering.left_out),
        notes=notes,
    )


class _Names:
    """Names in the order in which they came, and sorted.

    Attributes:
        sorted: in the order of the new ids.
        new: ``(names,)`` the new id of each old one.
    """

    def __init__(self, ids: Mapping[str, int]) -> None:
        self.sorted = sorted(ids)
        self.new = np.empty(len(ids), dtype=np.int64)
        self.new[np.fromiter((ids[name] for name in self.sorted), np.int64, len(ids))] = np.arange(len(ids))


def _by_sorted_names(rows: array[int], entities: _Names, relations: _Names) -> np.ndarray:
    """``(n, 3)`` int64 of the flat old ids."""
    old = np.frombuffer(rows, dtype=np.intc).reshape(-1, 3)
    return np.stack([entities.new[old[:, 0]], relations.new[old[:, 1]], entities.new[old[:, 2]]], axis=1)


def _seeming_numbers(triples: np.ndarray, entities: Sequence[str], relations: Sequence[str]) -> list[str]:
    """A sentence if all tails of a relation are numbers and head no triple; none where numbers are what names are."""
    is_number = np.fromiter((to_number(name) is not None for name in entities), bool, len(entities))
    heads = np.unique(triples[:, 0])
    if 2 * is_number[heads].sum() > len(heads):
        return []
    is_number[heads] = False
    total, numbers = np.bincount(triples[:, 1]), np.bincount(triples[is_number[triples[:, 2]], 1])
    numbers = np.pad(numbers, (0, len(total) - len(numbers)))
    found = [relations[relation] for relation in np.flatnonzero((total > 0) & (numbers == total)).tolist()]
    if not found:
        return []
    return [
        f"all tails of {len(found):,} relations are numbers or dates, and were taken for entities; "
        f"attributes=[{','.join(found[:_SHOWN])}{',...' if len(found) > _SHOWN else ''}] makes them features"
    ]


def _write_triples(path: Path, rows: np.ndarray, entities: Sequence[str], relations: Sequence[str]) -> None:
    def lines() -> Iterator[str]:
        for at in range(0, len(rows), _ROWS):
            for head, relation, tail in rows[at : at + _ROWS].tolist():
                yield f"{entities[head]}\t{relations[relation]}\t{entities[tail]}\n"

    _write_lines(path, ("head", "relation", "tail"), lines())


def _write_lines(path: Path, header: Sequence[str], lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(header) + "\n")
        file.writelines(lines)


def _write_values(partial: Path, gathering: Gathering) -> tuple[dict[str, str], dict[str, tuple[int, int]]]:
    """Files of values of entities that stand in triples; the labels of these and of relations, and counts by file."""
    names = {"label": TEXTS, "text": TEXTS, "number": ATTRIBUTES, "category": ATTRIBUTES, "image": IMAGES}
    headers = {TEXTS: ("entity", "text", "attribute"), ATTRIBUTES: HEADER, IMAGES: ("entity", "image", "attribute")}
    labels: dict[str, str] = {}
    rows: Counter[str] = Counter()
    owners: dict[str, set[int]] = {name: set() for name in headers}
    files: dict[str, TextIO] = {}
    gathering.spool.seek(0)
    try:
        for line in gathering.spool:
            kind, entity, attribute, value = line.rstrip("\n").split("\t")
            is_entity = entity in gathering.entities
            if kind == "label" and (is_entity or entity in gathering.relations):
                labels.setdefault(entity, value)
            if not is_entity:
                if not (kind == "label" and entity in gathering.relations):
                    gathering.leave_out("values of what stands in no triple")
                continue
            name = names[kind]
            if name not in files:
                files[name] = (partial / name).open("w", encoding="utf-8", newline="\n")
                files[name].write("\t".join(headers[name]) + "\n")
            parts = (attribute, value) if name == ATTRIBUTES else (value, attribute)
            files[name].write(f"{entity}\t{parts[0]}\t{parts[1]}\n")
            rows[name] += 1
            owners[name].add(gathering.entities[entity])
    finally:
        for file in files.values():
            file.close()
    return labels, {name: (rows[name], len(owners[name])) for name in headers if name in files}


def local_name(name: str) -> str:
    """What a person reads of an IRI: its last part, decoded; any other name is left as it is."""
    if "://" not in name:
        return name
    last = name.rstrip("/#").rpartition("#")[2].rpartition("/")[2]
    return " ".join(unquote(last).replace("_", " ").split()) or name


def _settings(options: ReadingOptions) -> dict[str, Any]:
    """As plain values."""
    return {key: sorted(value) if isinstance(value, frozenset) else value for key, value in asdict(options).items()}


def _by_reason(left_out: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Details of each reason, the most frequent first."""
    reasons: dict[str, dict[str, int]] = {}
    for (reason, detail), number in sorted(left_out.items(), key=lambda item: (-item[1], item[0])):
        reasons.setdefault(reason, {})[detail] = number
    return reasons
