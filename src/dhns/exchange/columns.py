"""Which column of a table is head, relation and tail."""

from __future__ import annotations

from collections.abc import Sequence

from dhns.errors import InputError
from dhns.exchange.options import ReadingOptions
from dhns.graph.readers.columns import STANDARD
from dhns.graph.readers.header import columns_of


def places_of(where: str, names: Sequence[str], options: ReadingOptions) -> tuple[int, int, int] | None:
    """Places of head, relation and tail among named columns; None if neither settings nor words tell all three.

    Args:
        where: the names stand, for messages.
        names: of the columns.
        options: may name some by name or, from 1, by number.

    Raises:
        InputError: there is no column of a name that the settings give, or several; or one has two parts.
    """
    named = {part: _place(where, part, column, names) for part, column in options.columns.items()}
    if len(named) < len(STANDARD):
        words = list(names)
        for part, place in named.items():
            words[place] = part
        if (by_words := columns_of(words)) is None:
            return None
        named = {part: by_words.index(part) for part in STANDARD}
    if len(set(named.values())) < len(STANDARD):
        chosen = ", ".join(f"{part}={names[place]}" for part, place in named.items())
        raise InputError(f"{where}: {chosen} gives one column two parts; name three: {_asked(names)}")
    return named["head"], named["relation"], named["tail"]


def required_places(where: str, names: Sequence[str], options: ReadingOptions) -> tuple[int, int, int]:
    """`places_of`, where there is no other way to tell.

    Raises:
        InputError: as there; also if the parts cannot be told.
    """
    if (places := places_of(where, names, options)) is None:
        raise InputError(
            f"{where}: which of the columns {', '.join(names)} are head, relation and tail? Say it: {_asked(names)}"
        )
    return places


def is_numbered(options: ReadingOptions, names: Sequence[str]) -> bool:
    """Whether the settings name columns by number alone: there may be a header or not."""
    return bool(options.columns) and all(
        column.isdecimal() and column not in names for column in options.columns.values()
    )


def _place(where: str, part: str, column: str, names: Sequence[str]) -> int:
    if (number := list(names).count(column)) > 1:
        raise InputError(f"{where}: {part}={column} names {number} columns; give the number of one, from 1")
    if number:
        return list(names).index(column)
    if column.isdecimal() and 1 <= int(column) <= len(names):
        return int(column) - 1
    raise InputError(f"{where}: {part}={column} names no column; there are {', '.join(names)}")


def _asked(names: Sequence[str]) -> str:
    shown = list(names[:3]) + ["NAME"] * (3 - len(names))
    if len(set(names)) < len(names):  # which numbers alone can tell
        shown = ["NUMBER"] * 3
    return " ".join(f"{part}={name}" for part, name in zip(STANDARD, shown, strict=True))
