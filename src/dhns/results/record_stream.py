"""Rows for other programs as they come, few in memory at once, in the format that a file's name asks for."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from dhns.errors import InputError
from dhns.extras import optional
from dhns.files import replacing
from dhns.results.records import require_kind

Records: TypeAlias = Sequence[Mapping[str, Any]]
Write: TypeAlias = Callable[[Records], None]
Columns: TypeAlias = Mapping[str, type]
"""Names to ``int``, ``float``, ``str`` or ``bool``."""

KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def require_stream_kind(path: Path) -> None:
    """Refuse a place that says no format or cannot be written, before anything is computed.

    Raises:
        InputError: it ends in none of `KINDS`, is a folder, or needs a package that is not there.
    """
    require_kind(path, KINDS)
    if path.suffix.lower() == ".parquet":
        _parquet(path)


@contextmanager
def record_stream(path: Path, columns: Columns) -> Iterator[Write]:
    """What writes rows to a file that is whole at the end, or not there at all.

    None is an empty cell, or null. TSV has no quotes, as `dhns.graph.readers.row_stream` reads it.

    Args:
        path: see `require_stream_kind`.
        columns: of every row.

    Raises:
        InputError: see `require_stream_kind`; a text holds a tab or a line end, and the file is TSV.
    """
    require_stream_kind(path)
    kind = path.suffix.lower()
    with replacing(path) as file:
        if kind == ".parquet":
            with _parquet_writer(path, file, columns) as write:
                yield write
            return
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=False)
        yield _json_writer(text) if kind in (".jsonl", ".ndjson") else _table_writer(path, text, columns)
        text.detach()  # flushes, and leaves the file to whoever opened it


def _json_writer(text: io.TextIOWrapper) -> Write:
    def write(records: Records) -> None:
        text.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in records)

    return write


def _table_writer(path: Path, text: io.TextIOWrapper, columns: Columns) -> Write:
    if path.suffix.lower() == ".csv":
        writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    else:
        writer = csv.DictWriter(
            text, list(columns), delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
    writer.writeheader()

    def write(records: Records) -> None:
        try:
            writer.writerows(map(_with_words, records))
        except csv.Error:
            raise InputError(
                f"{path}: a name holds a tab or a line end, which a .tsv file cannot; give another ending to out"
            ) from None

    return write


def _with_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """Truth as JSON spells it."""
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in row.items()}


@contextmanager
def _parquet_writer(path: Path, file: BinaryIO, columns: Columns) -> Iterator[Write]:
    pyarrow, parquet = _parquet(path)
    types = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string(), bool: pyarrow.bool_()}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(file, schema) as writer:
        yield lambda records: writer.write_table(pyarrow.Table.from_pylist(list(records), schema)) if records else None


def _parquet(path: Path) -> tuple[Any, Any]:
    needing = f"{path}: Parquet"
    return optional("pyarrow", needing, "exchange"), optional("pyarrow.parquet", needing, "exchange")
