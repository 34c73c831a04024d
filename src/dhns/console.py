"""The one way of tables and bars to the terminal: what they hold is printed as it is.

Names and labels are a user's, and rich would read ``[/x]`` in them as markup and ``:smile:`` as an emoji.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias, TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

T = TypeVar("T")
Bar: TypeAlias = Progress

DESCRIPTION = TextColumn("{task.description}", markup=False)
STEPS = (DESCRIPTION, BarColumn(), TaskProgressColumn(), TimeRemainingColumn(elapsed_when_finished=True))


class PlainConsole(Console):
    """A console of rich that reads nothing in what it prints."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__(width=width, markup=False, emoji=False, highlight=False)

    def on_broken_pipe(self) -> None:
        raise  # what rich has caught, for the program to end as it does at any other line that nobody reads


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], align: Sequence[str] | None = None) -> str:
    """A table for a document: a line per row, however long.

    Args:
        columns: headings.
        rows: cells.
        align: of each column, ``left`` or ``right``; all left where it is not given.
    """
    from tabulate import tabulate

    def escaped(cells: Sequence[str]) -> list[str]:
        return [cell.replace("|", "\\|") for cell in cells]

    table: str = tabulate(
        [escaped(row) for row in rows],
        escaped(columns),
        tablefmt="pipe",
        colalign=align or ["left"] * len(columns),
        disable_numparse=True,  # labels may be numbers, and numbers are as they are to be shown
    )
    return table


def progress_bar(*columns: ProgressColumn, transient: bool = False) -> Bar:
    """A bar on a terminal, nothing elsewhere; its ``console`` prints lines above it."""
    console = PlainConsole()
    return Progress(*columns, console=console, transient=transient, disable=not console.is_terminal)


def track(steps: Sequence[T], description: str, show: bool) -> Iterator[T]:
    """The steps one by one, with a bar if they are to be shown."""
    with Progress(*STEPS, console=PlainConsole(), disable=not show) as bar:
        yield from bar.track(steps, description=description)
