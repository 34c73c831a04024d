"""Rows of heads, relations and tails in files of any size, read as they are asked for."""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np

from dhns.errors import InputError
from dhns.extras import optional
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.readers.columns import LEFT_OUT, STANDARD
from dhns.graph.readers.header import columns_of
from dhns.graph.text_files import archive_of, is_text, require_utf8

Part: TypeAlias = str | int | None
"""A name, an id, or None where the cell is empty or ``?``."""

SEPARATORS = {".tsv": "\t", ".txt": "\t", ".csv": ","}
JSON_LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
ENDINGS = (*SEPARATORS, *JSON_LINES, PARQUET)
_ROWS = 4096  # of a Parquet file that are held at once
_BLOCK = 1 << 20  # bytes


class Row(NamedTuple):
    """What a line says; ``number`` counts from 1."""

    number: int
    head: Part
    relation: Part
    tail: Part


class Fault(NamedTuple):
    """A line that says nothing, and why."""

    number: int
    words: str


def as_name(part: object) -> str | None:
    """A whole number is an id, and anything else a name."""
    return None if part is None else f"id:{int(part)}" if isinstance(part, int | np.integer) else str(part)


def find_part(names: Vocabulary, part: object, suggest: bool = True) -> int:
    """The id of what a part names; see `Vocabulary.find`."""
    return names.find(str(as_name(part)), suggest)


def triple_ids(graph: KnowledgeGraph, row: Row | Fault, suggest: bool = True) -> tuple[int, int, int]:
    """The ids of a whole triple.

    Raises:
        InputError: the line says nothing, a part is empty, or names nothing or several things.
    """
    if isinstance(row, Fault):
        raise InputError(row.words)
    for name, part in zip(STANDARD, row[1:], strict=True):
        if part is None:
            raise InputError(f"the {name} is empty; a triple has all three")
    entities, relations = graph.entities, graph.relations
    head, relation, tail = (
        find_part(names, part, suggest) for names, part in zip((entities, relations, entities), row[1:], strict=True)
    )
    return head, relation, tail


class RowStream:
    """The rows of a file: CSV, TSV or JSON lines, plain or ``.gz``, or Parquet, as its name says.

    Columns are found by a header that names at least two of head, relation and tail; others are left out, and one that
    is not there is None in every row. Without a header there are three. A line of JSON is an object with these keys, or
    a list of three. Blank lines are passed over.

    Args:
        path: of the file.

    Attributes:
        unit: what rows are counted in, ``line`` or ``row``.
        notes: what was guessed, once iteration has begun.

    Raises:
        InputError: there is no such file, or its name has none of `ENDINGS`.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise InputError(f"{path}: {'a folder, a file is expected' if path.is_dir() else 'no such file'}")
        self.path = path
        name = path.name.lower()
        self._packed = name.endswith(".gz")
        self._ending = Path(name.removesuffix(".gz")).suffix
        if self._ending not in ENDINGS or (self._packed and self._ending == PARQUET):
            raise InputError(
                f"{path}: the name must end in {', '.join(ENDINGS[:-1])} (also with .gz) or {PARQUET}, which says the "
                "format"
            )
        self.unit = "row" if self._ending == PARQUET else "line"
        self.notes: list[str] = []

    def count(self) -> int:
        """Rows, blank lines and a header among them; reads text once, block by block.

        Raises:
            InputError: the file cannot be read.
        """
        if self._ending == PARQUET:
            return int(self._parquet().metadata.num_rows)
        with self._told(), self._open() as file:
            end = _line_end(file)
            number, last = 0, end
            while block := file.read(_BLOCK):
                number, last = number + block.count(end), block[-1:]
        return number + (last != end)

    def __iter__(self) -> Iterator[Row | Fault]:
        """Rows, and faults where a line has no three parts that could be names.

        Raises:
            InputError: the file cannot be read, is in another encoding, or its columns cannot be told.
        """
        if self._ending == PARQUET:
            return self._parquet_rows()
        return map(_json_row, self._lines()) if self._ending in JSON_LINES else self._delimited_rows()

    # --- text ----------------------------------------------------------------------------------------------------

    def _open(self) -> BufferedReader:
        return cast(BufferedReader, gzip.open(self.path) if self._packed else self.path.open("rb"))

    def _told(self) -> _ReadErrors:
        return _ReadErrors(self.path)

    def _lines(self) -> Iterator[tuple[int, str | Fault]]:
        """Number and text of each line that is not blank, or what is wrong with its bytes."""
        with self._told(), self._open() as file:
            for number, line in enumerate(_split(file), start=1):
                if number == 1:
                    require_utf8(self.path, line)
                    line = line.removeprefix(b"\xef\xbb\xbf")
                if not line.strip():
                    continue
                try:
                    yield number, line.decode().rstrip("\r\n")
                except UnicodeDecodeError as error:
                    if number == 1 and (archive := archive_of(line)):
                        raise InputError(f"{self.path}: the file is {archive}") from None
                    yield number, Fault(number, f"not UTF-8 (byte 0x{line[error.start]:02x})")

    def _delimited_rows(self) -> Iterator[Row | Fault]:
        separator = SEPARATORS[self._ending]
        places: Sequence[int | None] | None = None
        width = 3
        for number, line in self._lines():
            fields = line if isinstance(line, Fault) else _fields(number, line, separator)
            if isinstance(fields, Fault):
                yield fields
                continue
            if places is None:
                if columns := _named(f"{self.path}, line {number}", fields):
                    places, width = [columns.get(name) for name in STANDARD], len(fields)
                    if not set(STANDARD) & set(fields):
                        self.notes.append(f"{self.path.name}: '{' '.join(fields)}' was taken for a header")
                    continue
                places = (0, 1, 2)
            if len(fields) != width:
                listed = "as the header has" if width != 3 else "(head relation tail); a header may name them"
                yield Fault(number, f"{len(fields)} column{'s' * (len(fields) != 1)}, expected {width} {listed}")
                continue
            cells = (None if place is None else fields[place] for place in places)
            yield Row(number, *(None if cell is None or cell.strip() in ("", "?") else cell for cell in cells))

    # --- Parquet -------------------------------------------------------------------------------------------------

    def _parquet(self) -> Any:
        needing = f"{self.path}: Parquet"
        parquet = optional("pyarrow.parquet", needing, "exchange")
        with self._told():
            return parquet.ParquetFile(self.path)

    def _parquet_rows(self) -> Iterator[Row | Fault]:
        file = self._parquet()
        names: list[str] = file.schema_arrow.names
        columns = _named(str(self.path), names)
        if not columns:
            raise InputError(
                f"{self.path}: its columns are {', '.join(names) or 'none'}; expected head, relation and tail, of "
                "which a query lacks one"
            )
        number = 0
        batches = file.iter_batches(_ROWS, columns=[names[place] for place in columns.values()])
        while True:
            with self._told():
                if (batch := next(batches, None)) is None:
                    return
                values = batch.to_pydict()
            cells = [values.get(names[columns[name]]) if name in columns else None for name in STANDARD]
            for index in range(batch.num_rows):
                number += 1
                yield _row(number, [None if column is None else column[index] for column in cells])


class _ReadErrors:
    """Within, what goes wrong with a file is told in words."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, gzip.BadGzipFile | EOFError | zlib.error):
            raise InputError(f"{self.path}: its name says gzip, but it cannot be unpacked ({error})") from None
        if isinstance(error, UnicodeDecodeError):
            raise InputError(f"{self.path}: a text is not UTF-8 ({error.reason}); write it again") from None
        if type(error).__module__.partition(".")[0] == "pyarrow" or (isinstance(error, OSError) and not error.errno):
            reason = str(error).strip().partition("\n")[0]
            raise InputError(f"{self.path}: cannot be read as Parquet: {reason}; write it again") from None
        if isinstance(error, OSError):
            raise InputError(f"{self.path}: cannot be read: {error.strerror}") from None


def _line_end(file: BufferedReader) -> bytes:
    """What ends the lines: a line feed, or the carriage return alone that Excel on macOS writes."""
    start = file.peek(_BLOCK)
    return b"\r" if b"\r" in start and b"\n" not in start else b"\n"


def _split(file: BufferedReader) -> Iterator[bytes]:
    """The lines of a file."""
    if _line_end(file) == b"\n":
        yield from file
        return
    rest = b""
    while block := file.read(_BLOCK):
        *whole, rest = (rest + block).split(b"\r")
        yield from whole
    if rest:
        yield rest


def _named(where: str, fields: Sequence[str]) -> Mapping[str, int] | None:
    """The places of head, relation and tail, if these are names of columns.

    Raises:
        InputError: they are, and one of them twice.
    """
    if len(set(STANDARD).intersection(fields)) >= 2 and (
        twice := next((name for name in STANDARD if list(fields).count(name) > 1), None)
    ):
        raise InputError(f"{where}: {list(fields).count(twice)} columns are called {twice}; leave one of them")
    exact = {name: fields.index(name) for name in STANDARD if list(fields).count(name) == 1}
    if len(exact) >= 2:
        return exact
    named = columns_of(fields)
    return None if named is None else {name: place for place, name in enumerate(named) if name != LEFT_OUT}


def _fields(number: int, line: str, separator: str) -> list[str] | Fault:
    if separator == "\t":
        return line.split("\t")
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error as error:
        return Fault(number, f"{error}; each row stands on one line, and quotes in a field are doubled")


def _json_row(numbered: tuple[int, str | Fault]) -> Row | Fault:
    number, line = numbered
    if isinstance(line, Fault):
        return line
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Fault(number, f"not JSON: {error}")
    if isinstance(value, dict) and any(name in value for name in STANDARD):
        return _row(number, [value.get(name) for name in STANDARD])
    if isinstance(value, list) and len(value) == 3:
        return _row(number, value)
    return Fault(number, "expected an object with head, relation and tail, or a list of these three")


def _row(number: int, values: Sequence[Any]) -> Row | Fault:
    """Of values that a program has written: names are texts, ids are whole numbers."""
    parts: list[Part] = []
    for name, value in zip(STANDARD, values, strict=True):
        # pandas writes a column of whole numbers as real ones where a cell is empty
        if isinstance(value, float) and (value != value or value.is_integer()):
            value = None if value != value else int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            return Fault(number, f"{name} is {value!r}; expected a name, or a whole number as an id")
        if isinstance(value, str) and not is_text(value):
            return Fault(number, f"{name} is {value!a}, which is no text: a surrogate stands alone in it")
        parts.append(None if isinstance(value, str) and value.strip() in ("", "?") else value)
    return Row(number, *parts)
