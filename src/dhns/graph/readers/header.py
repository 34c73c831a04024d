"""Header lines of files of triples: told from triples by their words, and by names that stand nowhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, islice

from dhns.errors import InputError
from dhns.graph.readers.columns import LEFT_OUT, STANDARD, as_setting, names_each_once

Row = Sequence[str]

_WORDS = {
    "head": "head h subject subj sub s source src from start origin entity1 e1 node1 left lhs",
    "relation": "relation rel r relationship predicate pred p property prop edge edgetype relationtype reltype link "
    "linktype interaction type label verb",
    "tail": "tail t object obj o target tgt dst dest destination to end entity2 e2 node2 right rhs",
}
_COLUMNS = {word: column for column, words in _WORDS.items() for word in words.split()}
_SUFFIX = re.compile(r"(?<=.)(?:id|name|entity|node|key|label|uri)$")


def columns_of(row: Row) -> tuple[str, ...] | None:
    """The columns that a header names, in whatever words and case, ``_`` for others; None if it does not name all."""
    words = [re.sub(r"[\W_]", "", field.casefold()) for field in row]
    columns = tuple(_COLUMNS.get(word) or _COLUMNS.get(_SUFFIX.sub("", word), LEFT_OUT) for word in words)
    return columns if names_each_once(columns) else None


def find_headers(tables: Sequence[Sequence[Row]]) -> list[bool]:
    """Which tables of triples of one graph begin with a header.

    The line ``head relation tail`` is one. Any other is one only if its names stand in no other row of any table, and
    if it either names all columns in words like these or is the first line of every table.

    Args:
        tables: rows of the splits, train first; some may be empty.
    """
    shared = _first_line_of_all(tables)
    found = [bool(rows) and (shared or columns_of(rows[0]) is not None) for rows in tables]
    # a line that turns out to be a triple has names that stand in another row
    while any(found) and (kept := _apart(tables, found)) != found:
        found = kept
    return found


def _apart(tables: Sequence[Sequence[Row]], supposed: Sequence[bool]) -> list[bool]:
    """Which of the supposed headers are the standard one, or have no name of a row that is none."""
    pairs = list(zip(tables, supposed, strict=True))
    named = {name for rows, header in pairs if header for name in _names(rows[0])}
    others = (row for rows, header in pairs for row in islice(rows, header, None))
    used = named.intersection(chain.from_iterable(others))
    return [header and (tuple(rows[0]) == STANDARD or used.isdisjoint(_names(rows[0]))) for rows, header in pairs]


def _names(row: Row) -> list[str]:
    """The fields of a supposed header, less those that name none of the columns of a triple."""
    return [field for field, column in zip(row, columns_of(row) or row, strict=True) if column != LEFT_OUT]


def _first_line_of_all(tables: Sequence[Sequence[Row]]) -> bool:
    """Whether two tables or more begin with one line, of different names, and train goes on after it."""
    firsts = [rows[0] for rows in tables if rows]
    if len(firsts) < 2 or len(tables[0]) < 2 or len(set(firsts[0])) < len(firsts[0]):
        return False
    return all(first == firsts[0] for first in firsts)


def header_notes(first_lines: Sequence[tuple[str, Row, bool]]) -> list[str]:
    """Sentences on guesses: what was taken for a header, and what was not though it reads like one.

    Args:
        first_lines: of the files: name of the file, fields, and whether they were taken for a header.
    """
    guesses: dict[tuple[str, bool], list[str]] = {}
    for file, row, found in first_lines:
        if tuple(row) != STANDARD and (found or columns_of(row)):
            guesses.setdefault((" ".join(row), found), []).append(file)
    return [
        f"{', '.join(files)}: the first row, '{row}', "
        + (
            "was taken for a header and left out (dataset.header=false keeps it)"
            if found
            else "reads like a header but has names of other rows, and was kept (dataset.header=true leaves it out)"
        )
        for (row, found), files in guesses.items()
    ]


def order_of_headers(headers: Sequence[tuple[str, Row]]) -> tuple[str, ...] | None:
    """The columns that headers name; None if they name none.

    Args:
        headers: of the files: path of the file, and fields.

    Raises:
        InputError: two headers differ, or one has a column that is neither head, relation nor tail.
    """
    named: dict[tuple[str, ...], str] = {}
    for path, row in headers:
        if columns := columns_of(row):
            named.setdefault(columns, path)
    for columns, path in named.items():
        if LEFT_OUT in columns:
            raise InputError(
                f"{path}: {len(columns)} columns, expected 3 (head relation tail); {as_setting(columns)} takes these "
                "and leaves out the rest"
            )
    if len(named) > 1:
        (one, path), (other, another), *_ = named.items()
        raise InputError(
            f"{another}: its header says {', '.join(other)}, that of {path} says {', '.join(one)}; bring the columns "
            "of all files into one order"
        )
    return next(iter(named), None)
