"""Rows for other programs, in the format that a file's name asks for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.files import write_text
from dhns.results.places import require_out

KINDS = (".json", ".csv", ".tsv")


def require_kind(path: Path, kinds: Sequence[str] = KINDS) -> None:
    """Refuse a place that says no format or cannot be written, before anything is computed.

    Raises:
        InputError: it ends in none of ``kinds``, or is a folder; see also `require_out`.
    """
    if path.suffix.lower() not in kinds:
        raise InputError(
            f"out={path}: the name must end in {', '.join(kinds[:-1])} or {kinds[-1]}, which says the format"
        )
    if path.is_dir():
        raise InputError(f"out={path} is a folder; give a file")
    require_out(path)


def write_records(
    path: Path, rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None, whole: Any = None
) -> None:
    """Write rows, whole or not at all: a table with a header, or JSON.

    Args:
        path: see `require_kind`.
        rows: of the same keys, unless there are ``columns``.
        columns: see `delimited`.
        whole: what JSON holds in place of a list of the rows, where there is more to say than they do.

    Raises:
        InputError: see `require_kind`.
    """
    require_kind(path)
    if path.suffix.lower() == ".json":
        content = list(rows) if whole is None else whole
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return
    write_text(path, delimited(rows, columns, "\t" if path.suffix.lower() == ".tsv" else ","))


def delimited(rows: Iterable[Mapping[str, Any]], columns: Sequence[str] | None = None, delimiter: str = ",") -> str:
    """A line per row below a header, a cell empty where a row lacks a column or has None.

    Args:
        rows: none of which has other keys than ``columns``.
        columns: the keys of the first row if not given.
        delimiter: between cells.
    """
    rows = list(rows)
    table = io.StringIO()
    names = columns if columns is not None else list(rows[0]) if rows else []
    writer = csv.DictWriter(table, names, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return table.getvalue()
