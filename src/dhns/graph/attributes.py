"""Numbers, dates and categories of entities, from a table of them, as the features of a modality."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from dhns.errors import InputError
from dhns.graph.feature_files import FeatureRows
from dhns.graph.text_files import is_csv, read_table, require_columns

HEADER = ("entity", "attribute", "value")
LEAST_ENTITIES = 2
"""Of the training triples that an attribute needs: one value has no deviation."""
MOST_CATEGORIES = 50
"""Of an attribute; the most frequent ones have a column."""
MOST_COLUMNS = 512
"""Of a table; attributes that more entities have come first."""
MOST_DEVIATIONS = 5.0
"""From the mean, beyond which a number counts as that far: one error of units must not drown the rest."""
_SKEWED = 100  # times the median, from which on the largest of numbers that are not negative asks for logarithms
_DATE = re.compile(r"(-?\d{4,})-(\d\d)(?:-(\d\d))?(?:T[\d:.]+)?(?:Z|[+-]\d\d:\d\d)?")
_NAMED = 3  # attributes that a note names


@dataclass
class _Attribute:
    """Values of one attribute, of entities by their number in the table."""

    name: str
    entities: list[int] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class _Columns:
    """What an attribute becomes: ``(entities, columns)``, and how."""

    name: str
    entities: np.ndarray
    block: np.ndarray
    kind: str


def is_attribute_table(path: Path) -> bool:
    """Whether the name is that of a table, not of tensors."""
    return is_csv(path) or path.name.removesuffix(".gz").endswith((".tsv", ".txt"))


def to_number(text: str) -> float | None:
    """A finite number, or a date (``1905-06-07``, ``1905-06``) as a year with its part that has passed; else None."""
    if match := _DATE.fullmatch(text.strip()):
        year, month, day = int(match[1]), int(match[2]), int(match[3] or 1)
        return year + (month - 1) / 12 + (day - 1) / 372 if 1 <= month <= 12 and 1 <= day <= 31 else None
    try:
        number = float(text)
    except ValueError:
        return None
    # Python also takes 1_000, which no other program writes for a number
    return number if math.isfinite(number) and "_" not in text else None


def read_attributes(path: Path, trained: Collection[str]) -> tuple[FeatureRows, list[str]]:
    """Features from a table of attributes, and what became of it, in a sentence.

    The header is ``entity<TAB>attribute<TAB>value``, with a row for each value; or ``entity`` and the names of
    attributes, with a row for each entity, in which a blank cell is no value.

    An attribute whose values are numbers or dates has two columns: the value, standardised on the entities of the
    training triples (its logarithm, if numbers that are never negative reach a hundred times their median), and 1
    where there is one; both are 0 elsewhere. Of several values of an entity the mean counts. Any other attribute has
    a column for each of its `MOST_CATEGORIES` most frequent values, 1 where the entity has it.

    Args:
        path: of the table; ``.csv`` is separated by commas.
        trained: keys of the entities of training triples.

    Raises:
        InputError: the table is malformed, a value is no number though most of its attribute are (the message names
            the line), or no attribute can be used.
    """
    names, attributes = _read(path)
    in_train = np.fromiter((name in trained for name in names), dtype=bool, count=len(names))
    made = [_columns(path, attribute, in_train) for attribute in attributes]
    usable = [columns for columns in made if in_train[columns.entities].sum() >= LEAST_ENTITIES]
    usable.sort(key=lambda columns: (-int(in_train[columns.entities].sum()), columns.name))
    widths = np.cumsum([columns.block.shape[1] for columns in usable])
    kept = usable[: int(np.searchsorted(widths, MOST_COLUMNS, side="right"))]
    if not kept:
        example = f", such as '{next(iter(trained))}'" if trained else ""
        raise InputError(
            f"{path}: no attribute has values of {LEAST_ENTITIES} entities of the training triples; the first column "
            f"has keys of entities{example}, and here '{names[0]}'"
        )
    features = np.zeros((len(names), sum(columns.block.shape[1] for columns in kept)), dtype=np.float32)
    at = 0
    for columns in kept:
        features[columns.entities, at : at + columns.block.shape[1]] = columns.block
        at += columns.block.shape[1]
    described = np.zeros(len(names), dtype=bool)
    for columns in kept:
        described[columns.entities] = True
    keys = [name for name, has in zip(names, described.tolist(), strict=True) if has]
    left_out = sorted({attribute.name for attribute in attributes} - {columns.name for columns in kept})
    return FeatureRows(torch.from_numpy(features[described]), keys=keys), [_note(path, kept, left_out, at)]


def _read(path: Path) -> tuple[list[str], list[_Attribute]]:
    """Names of entities, and the attributes, by name."""
    header, *rows = read_table(path)
    values = _cells(path, header, rows) if _is_wide(path, header) else _triples(path, rows)
    numbers: dict[str, int] = {}
    attributes: dict[str, _Attribute] = {}
    for line, entity, name, value in values:
        attribute = attributes.get(name) or attributes.setdefault(name, _Attribute(name))
        attribute.entities.append(numbers.setdefault(entity, len(numbers)))
        attribute.values.append(value)
        attribute.lines.append(line)
    if not attributes:
        raise InputError(f"{path}: no values after the header line")
    return list(numbers), [attributes[name] for name in sorted(attributes)]


def _is_wide(path: Path, header: Sequence[str]) -> bool:
    """Whether a table has a column for each attribute, not a row for each value."""
    if tuple(header) == HEADER:
        return False
    if header[0] == HEADER[0] and len(header) > 1 and all(map(str.strip, header)) and len({*header}) == len(header):
        return True
    separator = "," if is_csv(path) else "<TAB>"
    raise InputError(
        f"{path}, line 1: '{separator.join(header)}'; the header must be '{separator.join(HEADER)}', or 'entity' and "
        "the names of attributes, each once"
    )


def _triples(path: Path, rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, str, str, str]]:
    """Line, entity, attribute and value of each row."""
    require_columns(path, rows, " ".join(HEADER), first_line=2)
    return ((line, entity, name, value) for line, (entity, name, value) in enumerate(rows, start=2))


def _cells(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[tuple[int, str, str, str]]:
    """The same of each cell that is not blank."""
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header) or not row[0].strip():
            fault = "no entity" if len(row) == len(header) else f"{len(row)} columns"
            raise InputError(f"{path}, line {line}: {fault}; expected an entity and its {len(header) - 1} attributes")
        for name, value in zip(header[1:], row[1:], strict=True):
            if value.strip():
                yield line, row[0], name, value


def _columns(path: Path, attribute: _Attribute, in_train: np.ndarray) -> _Columns:
    numbers = [to_number(value) for value in attribute.values]
    words = [index for index, number in enumerate(numbers) if number is None]
    if not words:
        return _of_numbers(attribute, np.array(numbers, dtype=np.float64), in_train)
    if 2 * len(words) < len(numbers):
        raise InputError(
            f"{path}, line {attribute.lines[words[0]]}: '{attribute.values[words[0]]}' is neither a number nor a date, "
            f"and most values of '{attribute.name}' are; correct it, or begin each with a letter to have categories"
        )
    return _of_categories(attribute, in_train)


def _of_numbers(attribute: _Attribute, numbers: np.ndarray, in_train: np.ndarray) -> _Columns:
    entities, place = np.unique(attribute.entities, return_inverse=True)
    values = np.bincount(place, weights=numbers) / np.bincount(place)
    seen = values[in_train[entities]]
    skewed = len(seen) > 0 and values.min() >= 0 and seen.max() > _SKEWED * np.median(seen)
    if skewed:
        values, seen = np.log1p(values), np.log1p(seen)
    mean, deviation = (seen.mean(), seen.std()) if len(seen) else (0.0, 0.0)
    # equal values say nothing beyond that they are there
    standard = (values - mean) / deviation if deviation > 1e-9 * max(1.0, abs(mean)) else np.zeros_like(values)
    standard = standard.clip(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    block = np.stack([standard, np.ones_like(standard)], axis=1)
    return _Columns(attribute.name, entities, block, "logarithm" if skewed else "number")


def _of_categories(attribute: _Attribute, in_train: np.ndarray) -> _Columns:
    owners: defaultdict[str, set[int]] = defaultdict(set)
    for entity, value in zip(attribute.entities, attribute.values, strict=True):
        owners[value].add(entity)
    frequency = Counter({value: int(in_train[list(found)].sum()) for value, found in owners.items()})
    chosen = sorted(owners, key=lambda value: (-frequency[value], value))[:MOST_CATEGORIES]
    entities = np.unique([entity for value in chosen for entity in owners[value]])
    block = np.zeros((len(entities), len(chosen)))
    for column, value in enumerate(chosen):
        block[np.searchsorted(entities, sorted(owners[value])), column] = 1
    more = len(owners) - len(chosen)
    return _Columns(attribute.name, entities, block, f"{more:,} values less" if more else "categories")


def _note(path: Path, kept: Sequence[_Columns], left_out: Sequence[str], width: int) -> str:
    kinds: Mapping[str, list[str]] = {kind: [] for kind in ("number", "logarithm", "categories")}
    shortened = []
    for columns in kept:
        kinds.get(columns.kind, kinds["categories"]).append(columns.name)
        if columns.kind not in kinds:
            shortened.append(f"{columns.name} ({columns.kind})")
    words = {"number": "numbers or dates", "logarithm": "numbers by their logarithms", "categories": "categories"}
    parts = [f"{words[kind]}: {len(names):,} ({_some(names)})" for kind, names in kinds.items() if names]
    number = f"{len(kept):,} attribute{'s' if len(kept) > 1 else ''}"
    note = f"{path.name} became {width:,} columns of {number}; {'; '.join(parts)}"
    if shortened:
        note += f"; of categories the {MOST_CATEGORIES} most frequent count: {_some(shortened)}"
    if left_out:
        note += (
            f"; left out, with fewer than {LEAST_ENTITIES} training entities or beyond {MOST_COLUMNS} columns: "
            f"{len(left_out):,} ({_some(left_out)})"
        )
    return note


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
