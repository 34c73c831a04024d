"""The files of a graph's splits, by the names under which graphs are published."""

from __future__ import annotations

from pathlib import Path

from dhns.errors import InputError
from dhns.graph.inputs import STEMS, SUFFIXES
from dhns.graph.knowledge_graph import SPLITS

TSV_FILES = tuple(f"{split}.tsv" for split in SPLITS)
_SHOWN = 8  # files of a folder that a message lists


def find_splits(folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of train, valid and test, as far as they are there, and what to know of them, in sentences.

    Raises:
        InputError: there is no such folder, no file for train, or more than one for a split.
    """
    if folder.is_file():
        raise InputError(f"{folder}: a file; dataset=edges dataset.path={folder} reads it, dataset=tsv reads a folder")
    require_folder(folder, ", ".join(TSV_FILES))
    found = {split: _find(folder, split) for split in SPLITS}
    if found["train"] is None:
        hint = "; dataset=openke reads such a folder" if (folder / "train2id.txt").is_file() else ""
        raise InputError(f"{folder}: no train.tsv, train.txt or train.csv, {listing(folder)}{hint}")
    notes = []
    for split, path in found.items():
        if path is None:
            notes.append(f"no {split}.tsv, {split}.txt or {split}.csv in the folder: no {split} triples")
        elif path.name.split(".")[0] != split:
            notes.append(f"{path.name} was taken for the {split} triples")
    return {split: path for split, path in found.items() if path is not None}, notes


def require_folder(folder: Path, needed: str) -> None:
    """Check that a data set's folder is there.

    Raises:
        InputError: it is not; the message says what it would hold.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; put the data set there ({needed}), set the environment variable DHNS_DATA to "
            "the folder that holds the data sets, or give dataset.folder=PATH"
        )


def listing(folder: Path) -> str:
    """What a folder holds, for a message."""
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if not names:
        return "it is empty"
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return f"it holds {', '.join(names[:_SHOWN])}{more}"


def _find(folder: Path, split: str) -> Path | None:
    found = [path for stem in STEMS[split] for suffix in SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()]
    if len(found) > 1:
        raise InputError(
            f"{folder}: {' and '.join(path.name for path in found)} are both {split} triples by their names; leave one "
            "there"
        )
    return found[0] if found else None
