"""Rows for other programs, in the format that a file's name asks for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.files import write_text

KINDS = (".json", ".csv", ".tsv")


def require_kind(path: Path) -> None:
    """Refuse a file name that says no format, before anything is computed.

    Raises:
        InputError: it ends in none of `KINDS`.
    """
    if path.suffix.lower() not in KINDS:
        raise InputError(
            f"out={path}: the name must end in {', '.join(KINDS[:-1])} or {KINDS[-1]}, which says the format"
        )


def write_records(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same keys, whole or not at all: a list of objects, or a table with a header.

    Raises:
        InputError: see `require_kind`.
    """
    require_kind(path)
    if path.suffix.lower() == ".json":
        write_text(path, json.dumps(list(rows), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return
    table = io.StringIO()
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    writer = csv.DictWriter(table, list(rows[0]) if rows else [], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, table.getvalue())
