"""Folders of other libraries: PyKEEN's and OGB's, in which triples are numbers, and Hugging Face's, in pieces."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from dhns.errors import InputError
from dhns.exchange.delimited import read_rows
from dhns.exchange.gathering import Gathering
from dhns.exchange.opening import opened, unpacking

PYKEEN_TRIPLES = "numeric_triples.tsv.gz"
_PYKEEN_FOLDERS = {"train": "training", "valid": "validation", "test": "testing"}
_PIECE = re.compile(r"(?P<split>\w+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.(?:parquet|arrow|jsonl|csv)")
_PARTS = ("head", "relation", "tail")


def is_pykeen(folder: Path) -> bool:
    """Whether ``TriplesFactory.to_path_binary`` or ``Dataset.to_directory_binary`` of PyKEEN wrote it."""
    return (folder / PYKEEN_TRIPLES).is_file() or (folder / _PYKEEN_FOLDERS["train"] / PYKEEN_TRIPLES).is_file()


def read_pykeen(folder: Path, gathering: Gathering) -> None:
    """Add the triples of a triples factory, or of a data set of three. Its ``.pth`` files are not read.

    Raises:
        InputError: a file is missing or malformed; the message names the line.
    """
    if (folder / PYKEEN_TRIPLES).is_file():
        _read_factory(folder, None, gathering)
        return
    for split, name in _PYKEEN_FOLDERS.items():
        if (folder / name / PYKEEN_TRIPLES).is_file():
            _read_factory(folder / name, split, gathering)


def is_ogb(folder: Path) -> bool:
    """Whether it has the layout of a knowledge graph of the Open Graph Benchmark, such as ogbl-wikikg2."""
    return (folder / "mapping" / "nodeidx2entityid.csv.gz").is_file()


def read_ogb(folder: Path, gathering: Gathering) -> None:
    """Add the triples of ``split/*/{train,valid,test}.npz``, else of ``raw/edge.csv.gz`` and ``edge_reltype.csv.gz``.

    The split files that OGB publishes are pickles (``.pt``), which could run code and are not loaded.

    Raises:
        InputError: a file is missing or malformed, or only pickles hold the splits (the message converts them).
    """
    entities = _by_id(folder / "mapping" / "nodeidx2entityid.csv.gz", ",", "node idx", "entity id")
    relations = _by_id(folder / "mapping" / "reltype2relid.csv.gz", ",", "reltype", "rel id")
    arrays = {path.stem: path for path in sorted(folder.glob("split/*/*.npz"))}
    pickles = sorted(folder.glob("split/*/*.pt"))
    if len(folders := {path.parent for path in folder.glob("split/*/*.npz")}) > 1:
        shown = " and ".join(str(path.relative_to(folder)) for path in sorted(folders))
        raise InputError(f"{folder}: {shown} both hold splits; leave one there")
    if arrays and "train" not in arrays:
        raise InputError(f"{next(iter(folders))}: holds {', '.join(f'{name}.npz' for name in arrays)} and no train.npz")
    if arrays:
        for split in ("train", "valid", "test"):
            if split in arrays:
                gathering.start(split)
                _add(arrays[split], entities, relations, _arrays(arrays[split]), gathering)
    elif pickles:
        raise InputError(
            f"{pickles[0]}: a pickle, which could run code and is not loaded; where you trust it, write its arrays as "
            "train.npz, valid.npz and test.npz beside it: python -c \"import numpy, torch; [numpy.savez(f'{s}.npz', "
            "**{k: d[k] for k in ('head', 'relation', 'tail')}) for s in ('train', 'valid', 'test') for d in "
            "[torch.load(f'{s}.pt', weights_only=False)]]\""
        )
    else:
        gathering.start(None)
        edges, kinds = folder / "raw" / "edge.csv.gz", folder / "raw" / "edge_reltype.csv.gz"
        ends, types = _integers(edges, ",", 2), _integers(kinds, ",", 1)
        if len(ends) != len(types):
            raise InputError(f"{kinds}: {len(types):,} rows, but {edges.name} has {len(ends):,}; one an edge is needed")
        _add(edges, entities, relations, np.column_stack([ends[:, 0], types[:, 0], ends[:, 1]]), gathering)


def huggingface_files(folder: Path) -> dict[Path, str | None]:
    """The files of a data set of Hugging Face's ``datasets``, with the name of their split, None if it has none.

    As ``save_to_disk`` writes it, a folder of ``.arrow`` files for each split or for all; or as the hub has it, pieces
    called ``train-00000-of-00002.parquet``, in the folder or in ``data/``. Empty where the folder is neither.

    Raises:
        InputError: ``dataset_dict.json`` or ``state.json`` is damaged, or a file of a split is missing.
    """
    if (index := folder / "dataset_dict.json").is_file():
        try:
            names = [str(name) for name in json.loads(index.read_text(encoding="utf-8"))["splits"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{index}: names no splits ({error}); save the data set again") from None
        return {file: name for name in names for file in _saved(folder / name)}
    if (folder / "state.json").is_file():
        if not (saved := _saved(folder)):
            raise InputError(f"{folder}: a data set without rows; there is nothing to import")
        return dict.fromkeys(saved)
    found = {path: _PIECE.fullmatch(path.name) for path in sorted([*folder.glob("*.*"), *folder.glob("data/*.*")])}
    pieces = {path: piece for path, piece in found.items() if piece}
    _require_all(folder, pieces.values())
    return {path: piece["split"] for path, piece in pieces.items()}


def _saved(folder: Path) -> list[Path]:
    """The files of one split, in their order; a split without rows has none.

    Raises:
        InputError: the list of them is missing or damaged, or names one that is not there.
    """
    state = folder / "state.json"
    try:
        listed = json.loads(state.read_text(encoding="utf-8"))["_data_files"]
        files = [folder / file["filename"] for file in listed]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{state}: does not list the files of the split ({error}); save the data set again") from None
    if lacking := next((file for file in files if not file.is_file()), None):
        raise InputError(f"{lacking}: no such file, and {state} names it; save the data set again")
    return files


def _require_all(folder: Path, pieces: Iterable[re.Match[str]]) -> None:
    """Refuse a split of which a piece is missing, or of which there are several sets of pieces."""
    there: dict[str, set[int]] = {}
    counts: dict[str, set[int]] = {}
    for piece in pieces:
        there.setdefault(piece["split"], set()).add(int(piece["number"]))
        counts.setdefault(piece["split"], set()).add(int(piece["count"]))
    for split, numbers in there.items():
        if len(counts[split]) > 1:
            shown = " and ".join(map(str, sorted(counts[split])))
            raise InputError(f"{folder}: split '{split}' is there in {shown} pieces; leave one of these sets")
        (count,) = counts[split]
        if missing := sorted(set(range(count)) - numbers):
            raise InputError(
                f"{folder}: split '{split}' is in {count} pieces, and {split}-{missing[0]:05}-of-{count:05} is not "
                "there; fetch all of them"
            )


def _read_factory(folder: Path, split: str | None, gathering: Gathering) -> None:
    entities, relations = (
        _by_id(folder / f"{kind}_to_id.tsv.gz", "\t", "id", "label") for kind in ("entity", "relation")
    )
    path = folder / PYKEEN_TRIPLES
    gathering.start(split)
    _add(path, entities, relations, _integers(path, "\t", 3, header=True), gathering)


def _by_id(path: Path, separator: str, number: str, name: str) -> list[str]:
    """Names by their numbers, of a table whose header calls the columns so.

    Raises:
        InputError: it does not, or the numbers do not go from 0 to n - 1.
    """
    (_, header), *rows = list(read_rows(path, separator, quoted=True)) or [(1, [])]
    if sorted(header) != sorted((number, name)):
        raise InputError(f"{path}, line 1: '{separator.join(header)}'; the header must be '{number}{separator}{name}'")
    place = header.index(number)
    names: dict[int, str] = {}
    numbers: dict[str, int] = {}
    for line, row in rows:
        if len(row) != 2 or not row[place].isdecimal() or int(row[place]) in names or not row[1 - place].strip():
            raise InputError(f"{path}, line {line}: '{separator.join(row)}'; expected a number, once, and a name")
        if (former := numbers.setdefault(row[1 - place], int(row[place]))) != int(row[place]):
            raise InputError(f"{path}, line {line}: '{row[1 - place]}' is the name of number {former} already")
        names[int(row[place])] = row[1 - place]
    if not names:
        raise InputError(f"{path}: no row follows the header; expected one for each {name}")
    if missing := next((index for index in range(len(names)) if index not in names), None):
        raise InputError(f"{path}: no row has the number {missing}; they must go from 0 to {len(names) - 1}")
    return [names[index] for index in range(len(names))]


def _integers(path: Path, separator: str, columns: int, header: bool = False) -> np.ndarray:
    """``(n, columns)`` of a packed table of integers, which may be large."""
    with unpacking(path), opened(path) as file:
        if header:
            file.readline()
        begin = file.tell()
        if not file.read(1):
            return np.empty((0, columns), np.int64)
        file.seek(begin)
        try:
            numbers = np.loadtxt(file, np.int64, comments=None, delimiter=separator, ndmin=2)
        except ValueError as error:
            counted = " (row 1 follows the header)" if header else ""
            raise InputError(f"{path}: {error}{counted}; expected {columns} integer ids a row") from None
    if numbers.shape[1] != columns:
        raise InputError(f"{path}: {numbers.shape[1]} columns, expected {columns} of integer ids")
    return numbers


def _arrays(path: Path) -> np.ndarray:
    """``(n, 3)`` of the arrays ``head``, ``relation`` and ``tail``; others, such as candidates, are passed over."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            parts = [archive[part] for part in _PARTS]
        if any(part.ndim != 1 for part in parts):
            raise ValueError(f"their shapes are {', '.join(str(part.shape) for part in parts)}")
        return np.column_stack(parts)
    except Exception as error:  # damaged archives raise whatever zipfile and NumPy stumble over
        reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
        raise InputError(f"{path}: cannot be read as arrays head, relation and tail of one length: {reason}") from None


def _add(
    path: Path, entities: Sequence[str], relations: Sequence[str], triples: np.ndarray, gathering: Gathering
) -> None:
    limits = np.array([len(entities), len(relations), len(entities)])
    if not np.issubdtype(triples.dtype, np.integer):
        raise InputError(f"{path}: the ids are {triples.dtype}; expected integers")
    outside = np.argwhere((triples < 0) | (triples >= limits))
    if len(outside):
        row, column = outside[0]
        raise InputError(
            f"{path}, row {row + 1}: {_PARTS[column]} id {triples[row, column]} is out of range; the tables of names "
            f"go from 0 to {limits[column] - 1}"
        )
    gathering.triples(entities, relations, entities, triples)
