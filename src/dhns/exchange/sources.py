"""What a file or a folder holds, and who reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dhns.errors import InputError
from dhns.exchange.columnar import FORMATS as COLUMNAR
from dhns.exchange.columnar import read_columnar
from dhns.exchange.delimited import FORMATS as DELIMITED
from dhns.exchange.delimited import read_delimited
from dhns.exchange.gathering import Gathering
from dhns.exchange.json_lines import FORMATS as JSON_LINES
from dhns.exchange.json_lines import read_json_lines
from dhns.exchange.layouts import huggingface_files, is_ogb, is_pykeen, read_ogb, read_pykeen
from dhns.exchange.options import ReadingOptions
from dhns.exchange.rdf import FORMATS as RDF
from dhns.exchange.rdf import read_rdf
from dhns.graph.readers.split_files import listing

FORMATS = (*RDF, *DELIMITED, *COLUMNAR, *JSON_LINES)
"""Endings of files; ``.gz`` may follow all but those of Parquet and Arrow, which pack themselves."""
_SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "dev", "validation"), "valid"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def read_source(source: Path, kind: str, gathering: Gathering, options: ReadingOptions) -> list[Path]:
    """Add what a file or a folder says.

    A folder is PyKEEN's, OGB's or one of Hugging Face's ``datasets``, by its files; or it has a file for each split, by
    their names; or all files of known endings in it are read as one graph.

    Args:
        source: file or folder.
        kind: of `FORMATS`, or ``auto``: as the endings say.
        gathering: takes it.
        options: of the files.

    Returns:
        The files that were read, where one by one.

    Raises:
        InputError: there is nothing to read, an ending is unknown, two files are of one split, or a file is malformed.
    """
    if source.is_dir() and is_pykeen(source):
        read_pykeen(source, gathering)
        gathering.notes.append(f"{source.name} was taken for a folder of PyKEEN; its .pth files are not read")
        return []
    if source.is_dir() and is_ogb(source):
        read_ogb(source, gathering)
        gathering.notes.append(f"{source.name} was taken for a folder of OGB; candidates to rank are not read")
        return []
    splits = _files(source, kind, gathering) if source.is_dir() else {source: None}
    kinds = {path: _kind(path, kind) for path in splits}
    if options.columns and not any(found in (*DELIMITED, *COLUMNAR, *JSON_LINES) for found in kinds.values()):
        part, name = next(iter(options.columns.items()))
        raise InputError(f"{part}={name} names a column, and {source} has none; leave it out")
    for path, split in splits.items():
        gathering.start(split)
        _read(path, kinds[path], gathering, options)
    return list(splits)


def _read(path: Path, kind: str, gathering: Gathering, options: ReadingOptions) -> None:
    if kind in RDF:
        read_rdf(path, kind, gathering, options)
    elif kind in DELIMITED:
        read_delimited(path, kind, gathering, options)
    elif kind in COLUMNAR:
        read_columnar(path, kind, gathering, options)
    else:
        read_json_lines(path, gathering, options)


def _kind(path: Path, kind: str) -> str:
    if kind != "auto":
        if kind not in FORMATS:
            raise InputError(f"format is '{kind}'; expected auto, {', '.join(FORMATS)}")
        return kind
    ending = _ending(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; input= names what is to be imported")
    if ending not in FORMATS:
        raise InputError(
            f"{path}: unknown ending; expected one of .{', .'.join(FORMATS)}, or say what it is by format=, such as "
            "format=nt"
        )
    if ending in COLUMNAR and path.suffix == ".gz":
        raise InputError(f"{path}: Parquet and Arrow files are read unpacked; unpack it")
    return ending


def _files(folder: Path, kind: str, gathering: Gathering) -> Mapping[Path, str | None]:
    """The files of a folder, with their split: those of ``datasets`` of Hugging Face, else by their own names."""
    pieces = huggingface_files(folder)
    if not pieces:
        return _splits(folder, kind, gathering)
    if unknown := sorted({name for name in pieces.values() if name is not None and name.lower() not in _SPLITS}):
        raise InputError(
            f"{folder}: a split is called '{unknown[0]}'; expected {', '.join(_SPLITS)}; give the files by themselves"
        )
    return {path: None if name is None else _SPLITS[name.lower()] for path, name in pieces.items()}


def _splits(folder: Path, kind: str, gathering: Gathering) -> Mapping[Path, str | None]:
    """The files of a folder, with their split; None if they are of none."""
    known = FORMATS if kind == "auto" else (kind,)
    paths = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    paths = [path for path in paths if _ending(path) in known]
    if not paths:
        raise InputError(f"{folder}: no file ends in .{', .'.join(known)}; {listing(folder)}")
    named = {path: _SPLITS.get(path.name.partition(".")[0].lower()) for path in paths}
    if not any(named.values()):
        return dict.fromkeys(paths)
    if "train" not in named.values():
        held_out = " and ".join(path.name for path, split in named.items() if split)
        raise InputError(
            f"{folder}: {held_out} by name, and no train; add the training triples, or rename what is no split of them"
        )
    if others := [path.name for path, split in named.items() if split is None]:
        gathering.notes.append(f"not read, as no split is called so: {', '.join(others)}")
    splits = {path: split for path, split in named.items() if split is not None}
    for split in ("train", "valid", "test"):
        found = [path.name for path, of in splits.items() if of == split]
        if len(found) > 1:
            raise InputError(
                f"{folder}: {' and '.join(found)} are both {split} triples by their names; leave one there"
            )
    return splits


def _ending(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").rpartition(".")[2]
