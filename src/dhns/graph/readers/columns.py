"""Which column of a file of triples is which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from dhns.errors import InputError

Columns = Sequence[str] | Literal["auto"]
"""``head``, ``relation`` and ``tail``, once each in the order of a file, and ``_`` for any column that is left out."""

STANDARD = ("head", "relation", "tail")
LEFT_OUT = "_"
_FEW = 10  # distinct names below which counts tell nothing
_MANY = 100  # distinct names from which on counts alone tell


def parse_columns(columns: Columns) -> tuple[str, ...] | None:
    """The setting ``dataset.columns`` as a tuple; None for ``auto``.

    Raises:
        InputError: it does not name head, relation and tail once each.
    """
    if columns == "auto":
        return None
    named = () if isinstance(columns, str) else tuple(map(str, columns))
    if not names_each_once(named):
        shown = columns if isinstance(columns, str) else f"[{','.join(named)}]"
        raise InputError(
            f"dataset.columns is {shown}; expected auto, or head, relation and tail, once each in the order of the "
            "file, and _ for any column that is left out: dataset.columns=[head,tail,relation]"
        )
    return named


def names_each_once(columns: Sequence[str]) -> bool:
    """Whether head, relation and tail are among the columns, once each, and nothing else but ``_``."""
    return sorted(name for name in columns if name != LEFT_OUT) == sorted(STANDARD)


def as_setting(columns: Sequence[str]) -> str:
    """As it is written on the command line."""
    return f"dataset.columns=[{','.join(columns)}]"


def in_standard_order(rows: list[list[str]], columns: Sequence[str]) -> list[list[str]]:
    """Rows ``[head, relation, tail]`` of rows of ``columns``."""
    if tuple(columns) == STANDARD:
        return rows
    places = [columns.index(name) for name in STANDARD]
    return [[row[place] for place in places] for row in rows]


def require_likely_order(where: str, rows: Sequence[Sequence[str]]) -> None:
    """Refuse rows of three columns whose second one can hardly be the relation.

    Relations are few and are no entities. So they do not stand there if another column has at most half as many
    distinct names, and either the second shares most of its names with the remaining one, or it has a hundred names and
    ten times as many.

    Args:
        where: the rows come from, for the message.
        rows: of all splits.

    Raises:
        InputError: the message names the setting that tells the order.
    """
    first, second, third = (set(column) for column in zip(*rows, strict=True))
    if len(second) < _FEW:
        return
    for order, few, entities in (
        (("head", "tail", "relation"), third, first),
        (("relation", "head", "tail"), first, third),
    ):
        shared = 2 * len(second & entities) >= min(len(second), len(entities))
        crowded = len(second) >= max(_MANY, 10 * len(few))
        if 2 * len(few) <= len(second) and (shared or crowded):
            raise InputError(
                f"{where}: the second column has {len(second):,} different names and the "
                f"{'third' if few is third else 'first'} only {len(few):,}, so the relation seems to stand there; give "
                f"{as_setting(order)} if it does, or {as_setting(STANDARD)} if the file is right as it is"
            )
