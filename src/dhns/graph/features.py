"""Features of modalities: rows of files, matched to entities and checked before anything is trained on them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.attributes import is_attribute_table, read_attributes
from dhns.graph.feature_files import FeatureRows, read_rows
from dhns.graph.fingerprint import key_fingerprint
from dhns.graph.knowledge_graph import Modality, Vocabulary
from dhns.graph.modality_names import require_modality_names

Missing = Literal["index", "zero_rows", "none"]
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
ModalitySource = str | Path | Mapping[str, Any] | None
"""A file, keyword arguments of `read_modality`, or None where a modality is not available."""


def read_modalities(
    folder: Path,
    sources: Mapping[str, ModalitySource] | None,
    entities: Vocabulary,
    ids_fixed: bool = True,
    train: Tensor | None = None,
) -> tuple[dict[str, Modality], list[str]]:
    """The modalities of a data set, and what to know of them, in sentences; those whose source is None are left out.

    Args:
        folder: paths are relative to it unless absolute.
        sources: modality name to a file or to keyword arguments of :func:`read_modality`.
        entities: of the graph.
        ids_fixed: a file fixes their ids; else these follow the sorted names, and features by place with them.
        train: ``(n, 3)`` triples on whose entities the numbers of a table are standardised; on all entities if not
            given. See :func:`dhns.graph.attributes.read_attributes`.

    Raises:
        InputError: as :func:`read_modality` and :func:`dhns.graph.attributes.read_attributes`; a source has no ``path``
            or an unknown key; a ``.json`` file beside the features, as ``dhns features`` writes it, says that they are
            of other entities.
    """
    modalities: dict[str, Modality] = {}
    notes: list[str] = []
    require_modality_names(sources or {})
    for name, source in (sources or {}).items():
        if source is None:
            continue
        path, options = _path_and_options(name, source)
        path = folder / path
        rows, read = _read_source(path, entities, train, **options)
        notes += read
        described = rows.keys is None and path.suffix == ".safetensors" and _described(path, entities)
        modalities[name] = _match(path, rows, len(entities), entities.ids, **options)
        if rows.keys is not None:
            notes += _unknown_names(path, rows.keys, entities)
        elif not ids_fixed and not described:
            notes.append(
                f"{path.name}: rows were taken in the order of the sorted names, as no file fixes the ids (dhns data "
                "ids writes them; rows may also come with names)"
            )
    return modalities, notes


def _path_and_options(name: str, source: str | Path | Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    options = dict(source) if isinstance(source, Mapping) else {"path": source}
    if unknown := sorted(set(options) - {"path", "missing"}):
        raise InputError(f"modality '{name}': unknown key '{unknown[0]}'; the keys are path and missing")
    if "path" not in options:
        raise InputError(f"modality '{name}': no path; give {name}: FILE or {name}: {{path: FILE, missing: zero_rows}}")
    return Path(options.pop("path")).expanduser(), options


def read_modality(
    path: str | Path, num_entities: int, missing: Missing = "index", ids: Mapping[str, int] | None = None
) -> Modality:
    """Features of one modality, for each entity by its id, in the floating-point type of the file, at most float32.

    See :func:`dhns.graph.feature_files.read_rows` for what files hold. Rows without ``index`` or ``keys`` are one per
    entity in id order.

    Args:
        path: of the file.
        num_entities: of the graph.
        missing: which entities lack the modality. ``index``: those that the file's ``index``, ``present`` or names
            leave out, none if it has none of these; ``zero_rows``: also those whose row is all zeros; ``none``: no
            entity may.
        ids: of the entities by key, for files that have names; names of no entity are passed over.

    Raises:
        InputError: the file is missing, damaged, of another kind or does not fit the entities; a value is not finite or
            beyond float32.
    """
    return _match(Path(path), _read(Path(path), missing), num_entities, ids or {}, missing)


def _read_source(
    path: Path, entities: Vocabulary, train: Tensor | None, missing: Missing = "index"
) -> tuple[FeatureRows, list[str]]:
    """Rows of tensors, or of a table of numbers and categories, and what to know of these, in sentences."""
    if not is_attribute_table(path):
        return _read(path, missing), []
    _require_choice(path, missing)
    used = range(len(entities)) if train is None else train[:, [0, 2]].flatten().bincount().nonzero().flatten().tolist()
    return read_attributes(path, {entities.keys[entity] for entity in used})


def _read(path: Path, missing: Missing = "index") -> FeatureRows:
    _require_choice(path, missing)
    return read_rows(path)


def _require_choice(path: Path, missing: Missing) -> None:
    # a setting that is wrong is told before a file that may be large is read
    if missing not in get_args(Missing):
        raise InputError(f"{path}: missing is '{missing}'; expected index, zero_rows or none")


def _match(
    path: Path, rows: FeatureRows, num_entities: int, ids: Mapping[str, int], missing: Missing = "index"
) -> Modality:
    features = rows.features
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(f"{path}: features have shape {tuple(features.shape)}; expected (entities, dim)")
    if features.dtype not in FLOATING:
        raise InputError(f"{path}: features are {features.dtype}; expected floating point, convert them with .float()")
    if rows.keys is not None:
        features, present = _by_name(path, features, rows.keys, num_entities, ids)
    elif rows.index is not None:
        features, present = _scatter(path, features, rows.index, num_entities)
    else:
        _require_rows(path, features, num_entities)
        present = _mask(path, rows.present, num_entities)
        if features[~present].any():
            features = features.masked_fill(~present[:, None], 0)
    features = _at_most_float32(path, features)
    if missing == "zero_rows":
        present = present & (features != 0).any(dim=1)
    if missing == "none" and not present.all():
        raise InputError(
            f"{path}: no features for {_some(~present)}; missing=none needs all {num_entities}. Use missing=index to "
            "treat them as missing"
        )
    return Modality(features, present)


def _described(path: Path, entities: Vocabulary) -> bool:
    """Whether a description beside the file says that it was made for these entities, in this order.

    Raises:
        InputError: it says that it was made for others.
    """
    try:
        description: Any = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    made_for = description.get("entities") if isinstance(description, dict) else None
    if not isinstance(made_for, dict) or "sha256" not in made_for:
        return False
    if made_for["sha256"] != key_fingerprint(entities):
        raise InputError(
            f"{path}: made for {made_for.get('count', 'other')} entities in another order or of other names than the "
            f"{len(entities)} of the graph, as {path.stem}.json beside it says; make it again with dhns features"
        )
    return True


def _unknown_names(path: Path, keys: Sequence[str], entities: Vocabulary) -> list[str]:
    """A sentence if names are those of no entity."""
    unknown = [key for key in keys if key not in entities.ids]
    return (
        [f"{path.name}: {len(unknown):,} of its {len(keys):,} names are no entity: {_first(unknown)}"]
        if unknown
        else []
    )


def _by_name(
    path: Path, rows: Tensor, keys: Sequence[str], num_entities: int, ids: Mapping[str, int]
) -> tuple[Tensor, Tensor]:
    """As `_scatter`, for rows given by the names of entities."""
    known = [row for row, key in enumerate(keys) if key in ids]
    if not known:
        example = f", such as '{next(iter(ids))}'" if ids else ""
        raise InputError(f"{path}: none of its {len(keys)} names ({_first(keys)}) is the key of an entity{example}")
    return _scatter(path, rows[known], torch.tensor([ids[keys[row]] for row in known]), num_entities)


def _scatter(path: Path, rows: Tensor, index: Tensor, num_entities: int) -> tuple[Tensor, Tensor]:
    """Features ``(entities, dim)`` and mask ``(entities,)`` of rows given for some entities only."""
    if index.dtype != torch.int64 or index.shape != rows.shape[:1]:
        raise InputError(
            f"{path}: index is {index.dtype} of shape {tuple(index.shape)}; expected int64 entity ids, one for "
            f"each of the {len(rows)} feature rows"
        )
    outside = (index < 0) | (index >= num_entities)
    if outside.any():
        raise InputError(
            f"{path}: index holds entity id {int(index[outside][0])}; the ids of {num_entities} entities go from 0 to "
            f"{num_entities - 1}"
        )
    uses = torch.bincount(index, minlength=num_entities)
    if (uses > 1).any():
        raise InputError(f"{path}: index holds {_some(uses > 1)} more than once; each entity may have one row")
    features = rows.new_zeros(num_entities, rows.shape[1])
    features[index] = rows
    return features, uses > 0


def _require_rows(path: Path, features: Tensor, num_entities: int) -> None:
    if len(features) != num_entities:
        raise InputError(
            f"{path}: {len(features)} feature rows, but the graph has {num_entities} entities; expected one row per "
            "entity in id order, or an 'index' tensor with the entity id of each row"
        )


def _mask(path: Path, present: Tensor | None, num_entities: int) -> Tensor:
    if present is None:
        return torch.ones(num_entities, dtype=torch.bool)
    if present.dtype != torch.bool or present.shape != (num_entities,):
        raise InputError(
            f"{path}: present is {present.dtype} of shape {tuple(present.shape)}; expected torch.bool of shape "
            f"({num_entities},)"
        )
    return present


def _at_most_float32(path: Path, features: Tensor) -> Tensor:
    """The features, those of NumPy's default type in single precision, as models compute."""
    finite = features.isfinite().all(dim=1)
    if not finite.all():
        raise InputError(
            f"{path}: NaN or infinite features for {_some(~finite)}; mend these rows, or mark the entities as missing "
            "with an 'index' or 'present' tensor"
        )
    if features.dtype != torch.float64:
        return features
    single = features.float()
    within = single.isfinite().all(dim=1)
    if not within.all():
        raise InputError(f"{path}: features beyond the range of float32 for {_some(~within)}; scale them down")
    return single


def _some(entities: Tensor) -> str:
    """The first ids of a mask ``(entities,)`` in words."""
    ids = entities.nonzero().flatten().tolist()
    more = f", ... ({len(ids)} in all)" if len(ids) > 5 else ""
    return f"entity {'id' if len(ids) == 1 else 'ids'} {', '.join(map(str, ids[:5]))}{more}"


def _first(names: Sequence[str]) -> str:
    """The first names of a list in words."""
    return ", ".join(name[:80] for name in names[:5]) + (", ..." if len(names) > 5 else "")
