"""CSV and TSV files, read as a stream: headers, quotes, fields of several lines."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from dhns.errors import InputError
from dhns.exchange.columns import is_numbered, places_of, required_places
from dhns.exchange.gathering import Gathering
from dhns.exchange.opening import not_utf8, opened_text, unpacking
from dhns.exchange.options import ReadingOptions
from dhns.graph.readers.columns import STANDARD
from dhns.graph.readers.header import columns_of

FORMATS = {"csv": ",", "tsv": "\t", "txt": "\t"}
"""What separates the fields, by the ending of a file."""
_NAMES = {",": "commas", "\t": "tabs"}


def read_delimited(path: Path, kind: str, gathering: Gathering, options: ReadingOptions) -> None:
    """Add the triples of a table.

    Without a header there are three columns, head, relation and tail, unless the settings give their numbers. Tails of
    ``options.literals`` are values.

    Args:
        path: of the file, packed (``.gz``) or not.
        kind: of `FORMATS`.
        gathering: takes them.
        options: for tables.

    Raises:
        InputError: the file is malformed, or its columns cannot be told; the message names the line.
    """
    quoted = kind == "csv" if options.quotes == "auto" else options.quotes
    rows = read_rows(path, FORMATS[kind], quoted)
    line, first = next(rows, (0, []))
    if not first:
        return
    headed, places = _header(path, first, kind, options)
    width = len(first)
    guessed = options.header == "auto" and (not options.columns or is_numbered(options, first))
    likely = headed and guessed and tuple(first) != STANDARD
    alone, others = guessed and not headed, False
    if not headed:
        _add(path, line, first, width, places, gathering, options)
    for line, row in rows:
        alone, others = alone and set(first).isdisjoint(row), True
        _add(path, line, row, width, places, gathering, options)
    if likely:
        _settle(path, first, places, gathering)
    if alone and others:
        gathering.notes.append(
            f"{path.name}: the first row, '{' '.join(first)}', was taken for a triple, though its names stand in no "
            "other row (header=true leaves it out)"
        )


def read_rows(path: Path, separator: str, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the number of the line on which it ends.

    Raises:
        InputError: the file cannot be unpacked, is not UTF-8, or a quoted field does not end.
    """
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    with opened_text(path) as text, unpacking(path):
        reader = csv.reader(text, delimiter=separator, quoting=quoting, strict=True)
        begun = 1
        try:
            for row in reader:
                if row and (len(row) > 1 or row[0].strip()):
                    yield reader.line_num, row
                begun = reader.line_num + 1
        except csv.Error as error:
            lines = f"line {begun}" if reader.line_num <= begun else f"lines {begun} to {reader.line_num}"
            raise InputError(
                f"{path}, {lines}: {error}; a quoted field ends with a quote, and quotes in it are doubled"
                + ("" if separator == "," else ", and quotes=false makes them a part of the names")
            ) from None
        except UnicodeDecodeError:
            raise not_utf8(path) from None


def _header(path: Path, first: Sequence[str], kind: str, options: ReadingOptions) -> tuple[bool, tuple[int, int, int]]:
    """Whether the first row is a header, and where head, relation and tail stand."""
    where = f"{path}, line 1"
    if options.header is True:
        return True, required_places(where, first, options)
    numbers = [str(number) for number in range(1, len(first) + 1)]
    if options.header is False or is_numbered(options, first):
        if not options.columns and len(first) == len(STANDARD):
            return False, (0, 1, 2)
        found = required_places(where, numbers, options)
        return options.header is not False and columns_of([first[place] for place in found]) is not None, found
    if (places := places_of(where, first, options)) is not None:
        return True, places
    if len(first) != len(STANDARD) or options.columns:
        separator = FORMATS[kind]
        other = next((sign for sign in ",;\t" if sign != separator and first[0].count(sign) > 1), None)
        if len(first) == 1 and other:
            raise InputError(f"{where}: one column; separate the fields by {_NAMES[separator]}, not by {other!r}")
        required_places(where, first, options)
    return False, (0, 1, 2)


def _add(
    path: Path,
    line: int,
    row: Sequence[str],
    width: int,
    places: tuple[int, int, int],
    gathering: Gathering,
    options: ReadingOptions,
) -> None:
    if len(row) != width:
        raise InputError(f"{path}, line {line}: {len(row)} columns, expected {width} as in the first line")
    head, relation, tail = row[places[0]], row[places[1]], row[places[2]]
    if not (head.strip() and relation.strip() and tail.strip()):
        part, place = next(
            (part, place) for part, place in zip(STANDARD, places, strict=True) if not row[place].strip()
        )
        raise InputError(f"{path}, line {line}: column {place + 1} ({part}) is empty; expected a name")
    if relation in options.literals:
        gathering.value_of_table(head, relation, tail, options.categories)
    else:
        gathering.triple(head, relation, tail)


def _settle(path: Path, first: Sequence[str], places: tuple[int, int, int], gathering: Gathering) -> None:
    """A first row of words for columns is a triple after all if its names are those of others."""
    head, relation, tail = (first[place] for place in places)
    if head in gathering.entities or tail in gathering.entities or relation in gathering.relations:
        gathering.triple(head, relation, tail)
        what = "reads like a header but has names of other rows, and was kept (header=true leaves it out)"
    else:
        what = "was taken for a header and left out (header=false keeps it)"
    gathering.notes.append(f"{path.name}: the first row, '{' '.join(first)}', {what}")
