"""Text files of triples and names, read whole; a bad line is named by file and number."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path

import numpy as np

from dhns.errors import InputError

_ENCODINGS = {b"\xff\xfe\0\0": "UTF-32", b"\0\0\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""By their byte order marks."""
_ARCHIVES = {b"\x1f\x8b": "packed by gzip; unpack it, or end its name in .gz", b"PK": "a zip archive; unpack it"}
"""By their first bytes."""
_SAMPLE = 1000  # bytes that tell an encoding


def read_lines(path: Path, *, may_be_empty: bool = False) -> list[str]:
    """The lines of a UTF-8 file without line ends; blank lines at the end are dropped. ``.gz`` files are unpacked.

    Raises:
        InputError: the file is missing, damaged, not UTF-8, or holds nothing though it must not be empty.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, a file is expected' if path.is_dir() else 'no such file'}")
    text = _decode(path, _read_bytes(path))
    if not text.strip():
        if may_be_empty:
            return []
        raise InputError(f"{path}: the file is empty")
    # only these line ends: str.splitlines would also break names at U+2028 and the like; Excel on macOS writes \r alone
    lines = text.replace("\r\n", "\n").split("\n" if "\n" in text else "\r")
    while not lines[-1].strip():
        lines.pop()
    return lines


def is_csv(path: Path) -> bool:
    """Whether the name says that commas separate the columns, not tabs."""
    return path.name.removesuffix(".gz").endswith(".csv")


def read_table(path: Path, *, may_be_empty: bool = False) -> list[list[str]]:
    """The fields of each line: separated by commas and quoted as CSV if the name says so, else by tabs, as they are.

    Raises:
        InputError: as :func:`read_lines`; a quoted field does not end on its line.
    """
    lines = read_lines(path, may_be_empty=may_be_empty)
    if not is_csv(path):
        return [line.split("\t") for line in lines]
    return [_csv_fields(path, line, number) for number, line in enumerate(lines, start=1)]


def read_counted(
    path: Path,
    columns: str,
    split: Callable[[str], list[str]] = str.split,
    *,
    may_be_empty: bool = False,
    if_more: str = "",
) -> list[list[str]]:
    """The rows of an OpenKE file, whose first line is their number.

    Args:
        path: of the file.
        columns: their names, for messages; one per space-separated word.
        split: a line to its fields.
        may_be_empty: a file without any line has no rows.
        if_more: what to do about more columns, for messages.

    Raises:
        InputError: as :func:`read_lines`; the first line is no number or not that of rows; a row has other columns.
    """
    lines = read_lines(path, may_be_empty=may_be_empty)
    if not lines:
        return []
    header, *lines = lines
    try:
        count = int(header)
    except ValueError:
        raise InputError(
            f"{path}, line 1: '{header}' is not a number; the first line holds the number of rows"
        ) from None
    rows = [split(line) for line in lines]
    require_columns(path, rows, columns, 2, if_more)
    if count != len(rows):
        raise InputError(f"{path}, line 1: says {count} rows, but {len(rows)} follow; correct the number or the rows")
    return rows


def require_columns(
    path: Path, rows: Sequence[Sequence[str]], columns: str, first_line: int, if_more: str = ""
) -> None:
    """Check that every row has the columns, none of them blank but those called ``_``.

    Args:
        path: of the file.
        rows: their fields.
        columns: names, for messages; one per space-separated word.
        first_line: number of the first row's line.
        if_more: what to do about more columns.

    Raises:
        InputError: names the first line that has not, and what is wrong with it.
    """
    expected = len(columns.split())
    needed = itemgetter(*[index for index, name in enumerate(columns.split()) if name != "_"])
    for index, row in enumerate(rows):
        if len(row) != expected or not all(map(str.strip, needed(row))):
            fault = _fault(row, columns.split(), "comma" if is_csv(path) else "tab")
            more = f"; {if_more}" if if_more and fault.startswith(f"{len(row)} columns") and len(row) > expected else ""
            raise InputError(f"{path}, line {index + first_line}: {fault}{more}")


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


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: its name says gzip, but it cannot be unpacked ({error}); pack it again") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def require_utf8(path: Path, start: bytes) -> None:
    """Raise `InputError` if the first bytes of a file tell that it is in an encoding of two or four bytes a letter."""
    if encoding := _wide_encoding(start[:_SAMPLE]):
        raise InputError(f"{path}: the file is in {encoding}; save it in UTF-8")


def is_text(text: str) -> bool:
    """Whether it can be written as UTF-8, which half a character cannot; JSON may name one alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def archive_of(content: bytes) -> str | None:
    """What packed the content of a file that is no text, and what to do about it; None if nothing tells."""
    return next((words for start, words in _ARCHIVES.items() if content.startswith(start)), None)


def _decode(path: Path, content: bytes) -> str:
    require_utf8(path, content)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if archive := archive_of(content):
            raise InputError(f"{path}: the file is {archive}") from None
        if not set(content) & set(b"\t\n\r ,"):
            raise InputError(f"{path}: not a text file: it has no line ends, tabs or spaces") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}, line {line}: not UTF-8 (byte 0x{content[error.start]:02x}); if this is a text file, save it in "
            "UTF-8"
        ) from None


def _wide_encoding(sample: bytes) -> str | None:
    """The name of an encoding of two or four bytes a letter, if a byte order mark or the zeros between letters tell."""
    for mark, name in _ENCODINGS.items():
        if sample.startswith(mark):
            return name
    for zeros, letters in ((sample[1::2], sample[::2]), (sample[::2], sample[1::2])):
        if zeros.count(0) > 0.9 * len(zeros) and 0 not in letters and letters.decode("latin-1").strip():
            return "UTF-16"
    return None


def _csv_fields(path: Path, line: str, number: int) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise InputError(
            f"{path}, line {number}: {error}; each row stands on one line, and quotes in a field are doubled"
        ) from None


def _fault(row: Sequence[str], columns: Sequence[str], separator: str) -> str:
    """What is wrong with the fields of a line."""
    listed = f"{len(columns)} ({' '.join(columns)})"
    if not any(map(str.strip, row)):
        return "the line is blank; remove it"
    if len(row) == len(columns):
        empty = next(i for i, field in enumerate(row) if not field.strip() and columns[i] != "_")
        return f"column {empty + 1} ({columns[empty]}) is empty"
    if len(row) == len(columns) + 1 and not (row[0] and row[-1]):
        return f"a {separator} too many at the {'end' if row[0] else 'start'} of the line; remove it"
    if len(row) == 1:
        for sign, name in ((",", "commas"), (";", "semicolons"), ("\t", "tabs"), (None, "spaces")):
            if len(row[0].split(sign)) >= len(columns) > 1:
                hint = ", or end the file's name in .csv" if sign == "," else ""
                return f"columns separated by {name}; separate the {listed} by {separator}s{hint}"
    return f"{len(row)} column{'s' if len(row) > 1 else ''}, expected {listed}"


def _is_int64(field: str) -> bool:
    try:
        return -(2**63) <= int(field) < 2**63
    except ValueError:
        return False
