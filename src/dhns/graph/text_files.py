"""Text files of triples and names, read whole; a bad line is named by file and number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from dhns.errors import InputError


def require_files(folder: Path, names: Sequence[str]) -> None:
    """Check that a data set's folder has its files.

    Raises:
        InputError: the folder or some of the files are missing.
    """
    needed = ", ".join(names)
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such folder; put the data set there ({needed}), set the environment variable DHNS_DATA to "
            "the folder that holds the data sets, or give dataset.folder=PATH"
        )
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: {', '.join(missing)} not found; the folder needs {needed}")


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file without line ends; blank lines at the end are dropped.

    Raises:
        InputError: the file is missing, empty or not UTF-8.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}, line {line}: not UTF-8 ({error.reason}); save the file in UTF-8") from None
    if not text.strip():
        raise InputError(f"{path}: the file is empty")
    # only these line ends: str.splitlines would also break names at U+2028 and the like
    lines = text.replace("\r\n", "\n").split("\n")
    while not lines[-1].strip():
        lines.pop()
    return lines


def read_counted(path: Path, columns: str, split: Callable[[str], list[str]] = str.split) -> list[list[str]]:
    """The rows of an OpenKE file, whose first line is their number.

    Args:
        path: of the file.
        columns: their names, for messages; one per space-separated word.
        split: a line to its fields.

    Raises:
        InputError: as :func:`read_lines`; the first line is no number or not that of rows; a row has other columns.
    """
    header, *lines = read_lines(path)
    try:
        count = int(header)
    except ValueError:
        raise InputError(
            f"{path}, line 1: '{header}' is not a number; the first line holds the number of rows"
        ) from None
    rows = [split(line) for line in lines]
    require_columns(path, rows, columns, first_line=2)
    if count != len(rows):
        raise InputError(f"{path}, line 1: says {count} rows, but {len(rows)} follow; correct the number or the rows")
    return rows


def read_labels(path: Path, key: str) -> tuple[list[str], list[str]]:
    """The two columns of a TSV file with the header line ``<key><TAB>label``; further columns are ignored.

    Raises:
        InputError: as :func:`read_lines`; the header is another; a row has no label or repeats a key.
    """
    lines = read_lines(path)
    if lines[0].split("\t")[:2] != [key, "label"]:
        raise InputError(f"{path}, line 1: '{lines[0]}'; the header must be '{key}<TAB>label'")
    rows = [line.split("\t") for line in lines[1:]]
    short = next((index for index, row in enumerate(rows) if len(row) < 2), None)
    if short is not None:
        raise InputError(f"{path}, line {short + 2}: '{lines[short + 1]}' has no tab; expected '{key}<TAB>label'")
    keys = [row[0] for row in rows]
    require_distinct(path, keys, key, first_line=2)
    return keys, [row[1] for row in rows]


def require_columns(path: Path, rows: Sequence[Sequence[str]], columns: str, first_line: int) -> None:
    """Check that every row has the columns, none of them empty.

    Raises:
        InputError: names the first line that has not.
    """
    expected = len(columns.split())
    for index, row in enumerate(rows):
        if len(row) != expected or not all(row):
            raise InputError(
                f"{path}, line {index + first_line}: {sum(map(bool, row))} columns, expected {expected} ({columns})"
            )


def require_distinct(path: Path, names: Sequence[str], kind: str, first_line: int) -> None:
    """Check that no name occurs twice.

    Raises:
        InputError: names the first repetition and both its lines.
    """
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for index, name in enumerate(names):
        if name in seen:
            raise InputError(
                f"{path}, line {index + first_line}: {kind} '{name}' already stands on line {seen[name] + first_line}; "
                "each may occur once"
            )
        seen[name] = index


def to_integers(path: Path, rows: Sequence[Sequence[str]], columns: str, first_line: int) -> np.ndarray:
    """``(rows, columns)`` int64 of fields that must all be integers.

    Raises:
        InputError: names the first line and field that is none.
    """
    try:
        flat = np.fromiter(map(int, chain.from_iterable(rows)), dtype=np.int64)
    except (ValueError, OverflowError):
        line, field = next((i, field) for i, row in enumerate(rows) for field in row if not _is_int64(field))
        raise InputError(f"{path}, line {line + first_line}: '{field}' is not an integer id") from None
    return flat.reshape(len(rows), len(columns.split()))


def _is_int64(field: str) -> bool:
    try:
        return -(2**63) <= int(field) < 2**63
    except ValueError:
        return False
