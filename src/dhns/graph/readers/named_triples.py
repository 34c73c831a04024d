"""Triples of names in text files: headers left out, columns put in order, names looked up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Vocabulary
from dhns.graph.readers.columns import (
    LEFT_OUT,
    STANDARD,
    Columns,
    as_setting,
    in_standard_order,
    parse_columns,
    require_likely_order,
)
from dhns.graph.readers.header import find_headers, header_notes, order_of_headers
from dhns.graph.spelling import plain_spelling, shown
from dhns.graph.text_files import read_table, require_columns

Header = Literal["auto"] | bool
NOT_LISTED = "is not in the file that lists the {kind} keys; add it there"


@dataclass
class NamedTriples:
    """Rows of names, and where they stand, for messages.

    Attributes:
        path: of the file.
        rows: its fields; ``[head, relation, tail]`` once it is read.
        first_line: number of the first row's line.
    """

    path: Path
    rows: list[list[str]]
    first_line: int = 1

    def drop_header(self) -> None:
        """Leave out the first row."""
        self.rows, self.first_line = self.rows[1:], 2

    def require(self, columns: Sequence[str]) -> None:
        """Check that every row has the columns.

        Raises:
            InputError: one has not; the message names its line.
        """
        more = len(self.rows[0]) - len(columns) if self.rows else 0
        advice = f"{as_setting((*columns, *[LEFT_OUT] * more))} leaves out what follows" if more > 0 else ""
        require_columns(self.path, self.rows, " ".join(columns), self.first_line, advice)

    def names(self, *columns: int) -> Iterator[str]:
        """What stands in some columns."""
        return (row[column] for row in self.rows for column in columns)

    def to_ids(self, entities: Vocabulary, relations: Vocabulary, unknown: str = NOT_LISTED) -> Tensor:
        """``(n, 3)`` int64 of the names, which must all be keys; ``unknown`` says what it means where one is not.

        Raises:
            InputError: one is not; the message names its line.
        """
        ids = np.empty((len(self.rows), 3), dtype=np.int64)
        for column, vocabulary in enumerate((entities, relations, entities)):
            known, kind = vocabulary.ids, vocabulary.kind
            try:
                ids[:, column] = [known[row[column]] for row in self.rows]
            except KeyError as error:
                name = error.args[0]
                line = self.first_line + next(i for i, row in enumerate(self.rows) if row[column] == name)
                raise InputError(f"{self.path}, line {line}: {kind} '{name}' {unknown.format(kind=kind)}") from None
        return torch.from_numpy(ids)


def read_named_triples(
    paths: Sequence[Path], header: Header = "auto", columns: Columns = "auto", normalize: bool = False
) -> tuple[list[NamedTriples], list[str]]:
    """The triples of the files of a graph, train first, and what was guessed or changed, in sentences.

    Args:
        paths: of the files, of which all but the first may be empty.
        header: whether the files begin with a header; ``auto`` looks, see :func:`find_headers`.
        columns: of the files; ``auto`` takes them from a header, else head, relation, tail, unless that is unlikely.
        normalize: write names in their plain spelling.

    Raises:
        InputError: a file is missing or malformed, or the order of its columns is unlikely; the message names the line.
    """
    order = parse_columns(columns)
    files = [NamedTriples(path, read_table(path, may_be_empty=index > 0)) for index, path in enumerate(paths)]
    headed = find_headers([file.rows for file in files]) if header == "auto" else [header] * len(files)
    firsts = [(file, file.rows[0], found) for file, found in zip(files, headed, strict=True) if file.rows]
    notes = header_notes([(file.path.name, row, found) for file, row, found in firsts]) if header == "auto" else []
    if order is None:
        order = order_of_headers([(str(file.path), row) for file, row, found in firsts if found])
        if order not in (None, STANDARD):
            notes.append(f"columns as in the header: {', '.join(order)} ({as_setting(STANDARD)} takes another order)")
    for file, _, found in firsts:
        if found:
            file.drop_header()
    for file in files:
        file.require(order or STANDARD)
    if not files[0].rows:
        raise InputError(f"{files[0].path}: no triples after the header line")
    if order is None:
        require_likely_order(str(paths[0]), [row for file in files for row in file.rows])
    for file in files:
        file.rows = in_standard_order(file.rows, order or STANDARD)
    return files, notes + (_normalize(files) if normalize else [])


def _normalize(files: Sequence[NamedTriples]) -> list[str]:
    """Write names in their plain spelling; say how many."""
    plain = {name: plain_spelling(name) for name in set(chain.from_iterable(file.names(0, 1, 2) for file in files))}
    for file in files:
        file.rows = [[plain[name] for name in row] for row in file.rows]
    changed = sorted(name for name, spelled in plain.items() if name != spelled)
    if not changed:
        return []
    example = shown(changed[0], plain[changed[0]])
    return [f"{len(changed):,} names were spelled otherwise, such as {example} (dataset.normalize=false leaves them)"]
