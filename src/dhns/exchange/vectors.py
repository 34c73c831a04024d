"""What a model has learnt, with names, in the formats of other programs."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from dhns.errors import InputError
from dhns.extras import optional
from dhns.files import replacing_folder, write_bytes, write_text
from dhns.results.places import require_out

PROJECTOR = "projector"
_NAMES = ("keys", "labels")
_BREAKS = re.compile(r"[\t\n\r]")


@dataclass(frozen=True)
class NamedVectors:
    """Vectors of entities or relations.

    Attributes:
        kind: ``entity`` or ``relation``.
        keys, labels: of each row.
        vectors: ``(rows, width)`` float32.
        views: ``(rows, D)`` by name.
        present: ``(rows,)`` bool by view; absent rows mean nothing.
    """

    kind: str
    keys: Sequence[str]
    labels: Sequence[str]
    vectors: np.ndarray
    views: Mapping[str, np.ndarray] = field(default_factory=dict)
    present: Mapping[str, np.ndarray] = field(default_factory=dict)


def require_format(path: Path, kind: str) -> str:
    """The format of a place to write to, before anything is computed.

    Args:
        path: of a file, or of the folder for the projector.
        kind: of `FORMATS`; ``auto`` takes the ending, and the projector where there is none.

    Raises:
        InputError: it is none of `FORMATS`, the file is a folder, or the folder is there already; see also
            `require_out`.
    """
    chosen = kind if kind != "auto" else path.suffix.lower().removeprefix(".") or PROJECTOR
    if chosen not in FORMATS:
        raise InputError(
            f"out={path}: '{chosen}' is no format; expected a name that ends in "
            f".{', .'.join(name for name in FORMATS if name != PROJECTOR)}, a folder for TensorBoard's projector, or "
            "format="
        )
    if chosen == PROJECTOR and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError(f"out={path} is there already; give another folder, or move it away")
    if chosen != PROJECTOR and path.is_dir():
        raise InputError(f"out={path} is a folder; give a file")
    require_out(path)
    return chosen


def write_vectors(path: Path, entities: NamedVectors, relations: NamedVectors, kind: str = "auto") -> list[Path]:
    """Write vectors of entities and relations, whole or not at all, and say which files.

    Args:
        path: see `require_format`.
        entities: of a graph.
        relations: with reciprocal relations, twice as many.
        kind: see `require_format`.

    Raises:
        InputError: as `require_format`; pyarrow is not installed; a name has a tab or a line end that TSV cannot hold.
    """
    return FORMATS[require_format(path, kind)](path, entities, relations)


def _arrays(entities: NamedVectors, relations: NamedVectors) -> dict[str, np.ndarray]:
    arrays = {"entities": entities.vectors, "relations": relations.vectors}
    arrays |= {f"view_{name}": view for name, view in entities.views.items()}
    return arrays | {f"present_{name}": mask for name, mask in entities.present.items()}


def _write_safetensors(path: Path, entities: NamedVectors, relations: NamedVectors) -> list[Path]:
    """Names are lists in JSON, in the header."""
    names = {f"{rows.kind}_{part}": list(getattr(rows, part)) for rows in (entities, relations) for part in _NAMES}
    header = {name: json.dumps(values, ensure_ascii=False) for name, values in names.items()}
    arrays = {name: np.ascontiguousarray(array) for name, array in _arrays(entities, relations).items()}
    write_bytes(path, safetensors.numpy.save(arrays, header))
    return [path]


def _write_npz(path: Path, entities: NamedVectors, relations: NamedVectors) -> list[Path]:
    """Names are arrays of text."""
    names = {f"{rows.kind}_{part}": np.array(getattr(rows, part)) for rows in (entities, relations) for part in _NAMES}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **names, **_arrays(entities, relations))
    write_bytes(path, content.getbuffer())
    return [path]


def _write_parquet(path: Path, entities: NamedVectors, relations: NamedVectors) -> list[Path]:
    """A row per entity and relation, vectors and views as lists, null where a view is absent."""
    arrow, parquet = (optional(module, "writing .parquet", "exchange") for module in ("pyarrow", "pyarrow.parquet"))
    tables = []
    for rows in (entities, relations):
        columns = {
            "kind": arrow.array([rows.kind] * len(rows.keys)),
            "key": arrow.array(list(rows.keys), arrow.string()),
            "label": arrow.array(list(rows.labels), arrow.string()),
            "vector": _lists(arrow, rows.vectors, np.ones(len(rows.keys), dtype=bool)),
        }
        for name in entities.views:
            absent = np.zeros(len(rows.keys), dtype=bool)
            view = rows.views.get(name, np.empty((len(rows.keys), 0), np.float32))
            columns[f"view_{name}"] = _lists(arrow, view, rows.present.get(name, absent))
        tables.append(arrow.table(columns))
    content = io.BytesIO()
    parquet.write_table(arrow.concat_tables(tables), content)
    write_bytes(path, content.getbuffer())
    return [path]


def _lists(arrow: Any, rows: np.ndarray, present: np.ndarray) -> Any:
    """``(n, width)`` as an array of lists, null where ``present (n,)`` is false."""
    lengths = np.where(present, rows.shape[1], 0)
    ends = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = arrow.array(rows[present].astype(np.float32).ravel())
    mask = arrow.array(~present)
    return arrow.LargeListArray.from_arrays(ends, values, mask=mask)


def _write_tsv(path: Path, entities: NamedVectors, relations: NamedVectors) -> list[Path]:
    """A line per entity and relation, the numbers of a vector parted by spaces, nothing where a view is absent."""
    views = list(entities.views)
    rows = [line for part in (entities, relations) for line in _lines(path, part, views)]
    header = ["kind", "key", "label", "vector", *(f"view_{name}" for name in views)]
    write_text(path, "\n".join(["\t".join(header), *rows, ""]))
    return [path]


def _lines(path: Path, rows: NamedVectors, views: Sequence[str]) -> Iterator[str]:
    for place, (key, label) in enumerate(zip(rows.keys, rows.labels, strict=True)):
        if _BREAKS.search(key + label):
            raise InputError(
                f"{path}: {key!r} ({label!r}) has a tab or a line end, which TSV cannot hold; use .parquet"
            )
        shown = [
            _numbers(rows.views[name][place], " ") if name in rows.views and rows.present[name][place] else ""
            for name in views
        ]
        yield "\t".join([rows.kind, key, label, _numbers(rows.vectors[place], " "), *shown])


def _write_projector(path: Path, entities: NamedVectors, relations: NamedVectors) -> list[Path]:
    """``tensors.tsv`` and ``metadata.tsv`` of entities, the same of relations and each view, and TensorBoard's index.

    A view has those that it is present of. Tabs and line ends in names become spaces.
    """
    groups = {"": (entities.keys, entities.labels, entities.vectors)}
    groups["relations_"] = (relations.keys, relations.labels, relations.vectors)
    for name, view in entities.views.items():
        has = np.flatnonzero(entities.present[name]).tolist()
        groups[f"view_{name}_"] = ([entities.keys[i] for i in has], [entities.labels[i] for i in has], view[has])
    written, index = [], []
    with replacing_folder(path) as folder:
        for prefix, (keys, labels, vectors) in groups.items():
            tensors, metadata = f"{prefix}tensors.tsv", f"{prefix}metadata.tsv"
            write_text(folder / tensors, "".join(f"{_numbers(row, chr(9))}\n" for row in vectors))
            lines = (
                f"{_BREAKS.sub(' ', label)}\t{_BREAKS.sub(' ', key)}\n" for key, label in zip(keys, labels, strict=True)
            )
            write_text(folder / metadata, "".join(["label\tkey\n", *lines]))
            shown = json.dumps(prefix.removesuffix("_") or "entities")
            index.append(
                f"embeddings {{\n  tensor_name: {shown}\n  tensor_path: {json.dumps(tensors)}\n"
                f"  metadata_path: {json.dumps(metadata)}\n}}\n"
            )
            written += [tensors, metadata]
        write_text(folder / "projector_config.pbtxt", "".join(index))
    return [path / name for name in (*written, "projector_config.pbtxt")]


def _numbers(row: np.ndarray, separator: str) -> str:
    """In nine digits, which give every float32 back."""
    return separator.join(f"{value:.9g}" for value in row.tolist())


FORMATS: dict[str, Callable[[Path, NamedVectors, NamedVectors], list[Path]]] = {
    "safetensors": _write_safetensors,
    "npz": _write_npz,
    "parquet": _write_parquet,
    "tsv": _write_tsv,
    PROJECTOR: _write_projector,
}
"""By the ending of a file; the last is a folder."""
