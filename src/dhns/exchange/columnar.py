"""Parquet and Arrow files, read batch by batch by pyarrow."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dhns.errors import InputError
from dhns.exchange.columns import required_places
from dhns.exchange.gathering import Gathering
from dhns.exchange.options import ReadingOptions
from dhns.extras import optional
from dhns.graph.readers.columns import STANDARD

FORMATS = ("parquet", "pq", "arrow", "feather", "ipc")
_ROWS = 1 << 16  # of a batch


def read_columnar(path: Path, kind: str, gathering: Gathering, options: ReadingOptions) -> None:
    """Add the triples of a table with columns of text or integers; tails of ``options.literals`` are values.

    Args:
        path: of the file.
        kind: of `FORMATS`; all but the first two are Arrow's, as files or streams.
        gathering: takes them.
        options: for tables.

    Raises:
        InputError: pyarrow is not installed, the file is damaged, a column is of another type, or a name is missing.
    """
    arrow = optional("pyarrow", f"reading .{kind}", "exchange")
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, a file is expected' if path.is_dir() else 'no such file'}")
    row = 1
    try:
        with _batches(arrow, path, kind, options) as (columns, batches):
            for batch in batches:
                _add(path, arrow, columns, batch, row, gathering, options)
                row += batch.num_rows
    except UnicodeDecodeError as error:
        raise InputError(f"{path}, from row {row} on: a text is not UTF-8 ({error.reason}); write it again") from None
    except (arrow.ArrowException, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"{path}: cannot be read as {'Parquet' if kind[0] == 'p' else 'Arrow'}: {reason}") from None


class _Column(NamedTuple):
    """A column: its name, how many of that name stand before it, and the texts that its numbers stand for."""

    name: str
    before: int
    classes: Sequence[str] | None

    def of(self, batch: Any) -> Any:
        """Its values."""
        return batch.column([place for place, name in enumerate(batch.schema.names) if name == self.name][self.before])


@contextmanager
def _batches(
    arrow: Any, path: Path, kind: str, options: ReadingOptions
) -> Iterator[tuple[list[_Column], Iterator[Any]]]:
    """The columns of head, relation and tail, and batches that have them."""
    if kind in ("parquet", "pq"):
        with optional("pyarrow.parquet", f"reading .{kind}", "exchange").ParquetFile(path) as file:
            columns = _columns(path, file.schema_arrow, options)
            yield columns, file.iter_batches(batch_size=_ROWS, columns=[column.name for column in columns])
        return
    ipc = optional("pyarrow.ipc", f"reading .{kind}", "exchange")
    with arrow.memory_map(str(path)) as content:
        try:
            file = ipc.open_file(content)
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
        except arrow.ArrowInvalid:
            content.seek(0)
            file = ipc.open_stream(content)
            batches = iter(file)
        yield _columns(path, file.schema, options), batches


def _columns(path: Path, schema: Any, options: ReadingOptions) -> list[_Column]:
    names, classes = schema.names, _classes(schema)
    places = required_places(str(path), names, options)
    return [_Column(names[place], names[:place].count(names[place]), classes.get(names[place])) for place in places]


def _classes(schema: Any) -> dict[str, list[str]]:
    """By column, the names of the classes that ``datasets`` of Hugging Face stores as numbers (``ClassLabel``)."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {name: list(map(str, about["names"])) for name, about in features.items() if "names" in about}
    except (KeyError, TypeError, ValueError):  # of no data set of theirs
        return {}


def _add(
    path: Path,
    arrow: Any,
    columns: Sequence[_Column],
    batch: Any,
    first_row: int,
    gathering: Gathering,
    options: ReadingOptions,
) -> None:
    texts: list[list[str]] = []
    places = np.empty((batch.num_rows, len(STANDARD)), dtype=np.int64)
    for place, (part, column) in enumerate(zip(STANDARD, columns, strict=True)):
        name, values = column.name, column.of(batch)
        kind = values.type.value_type if arrow.types.is_dictionary(values.type) else values.type
        measured = part == "tail" and options.literals and arrow.types.is_floating(kind)
        if not (_is_text(arrow, kind) or arrow.types.is_integer(kind) or measured):
            raise InputError(f"{path}: column '{name}' is of type {kind}; expected text or integers for the {part}")
        if values.null_count:
            row = first_row + int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"{path}, row {row}: column '{name}' is null; expected the name of the {part}")
        coded = values if arrow.types.is_dictionary(values.type) else values.dictionary_encode()
        places[:, place] = coded.indices.to_numpy(zero_copy_only=False)
        found = coded.dictionary.to_pylist()
        if column.classes is not None and arrow.types.is_integer(kind):
            found = [column.classes[label] if 0 <= label < len(column.classes) else None for label in found]
        texts.append(["" if text is None else str(text) for text in found])
        if empty := [index for index, text in enumerate(texts[-1]) if not text.strip()]:
            rows = np.flatnonzero(np.isin(places[:, place], empty))
            if len(rows):
                what = "null" if found[places[rows[0], place]] is None else "empty"
                raise InputError(f"{path}, row {first_row + int(rows[0])}: column '{name}' is {what}; expected a name")
    heads, relations, tails = texts
    apart = np.isin(places[:, 1], [place for place, text in enumerate(relations) if text in options.literals])
    for head, relation, tail in places[apart].tolist():
        gathering.value_of_table(heads[head], relations[relation], tails[tail], options.categories)
    gathering.triples(heads, relations, tails, places[~apart])


def _is_text(arrow: Any, kind: Any) -> bool:
    types = arrow.types
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))
