"""Tables as the page takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.table import Table


@dataclass(frozen=True)
class PageTable:
    """Cells as they are to be read.

    Attributes:
        caption: what the table says, in a line.
        columns: headings.
        numeric: by column, whether it holds numbers, which stand right.
        groups: rows by group, which the page parts by a line. The first cell of a row is its heading.
    """

    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    groups: tuple[tuple[tuple[str, ...], ...], ...]

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """Of all groups."""
        return [row for group in self.groups for row in group]


def of_console(table: Table, caption: str | None = None) -> PageTable:
    """A table that a command prints; its title is the caption, if no other is given."""
    cells = zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)
    groups: list[list[tuple[str, ...]]] = [[]]
    for row, around in zip(cells, table.rows, strict=True):
        groups[-1].append(row)
        if around.end_section:
            groups.append([])
    return PageTable(
        str(table.title or "") if caption is None else caption,
        tuple(str(column.header) for column in table.columns),
        tuple(column.justify == "right" for column in table.columns),
        tuple(tuple(group) for group in groups if group),
    )


def of_rows(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numeric: bool = True) -> PageTable:
    """A table of one group, whose first column names what the others say in numbers, or in words."""
    whole = tuple(tuple(row) for row in rows)
    return PageTable(caption, tuple(columns), (False, *[numeric] * (len(columns) - 1)), (whole,))
