"""Feature files of modalities, checked before anything is trained on them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality

Missing = Literal["index", "zero_rows", "none"]
FLOATING = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
ModalitySource = str | Path | Mapping[str, Any] | None
"""A file, keyword arguments of `read_modality`, or None where a modality is not available."""


def read_modalities(
    folder: Path, sources: Mapping[str, ModalitySource] | None, num_entities: int
) -> dict[str, Modality]:
    """The modalities of a data set; those whose source is None are left out.

    Args:
        folder: paths are relative to it unless absolute.
        sources: modality name to a file or to keyword arguments of :func:`read_modality`.
        num_entities: of the graph.

    Raises:
        InputError: as :func:`read_modality`; a source has no ``path`` or an unknown key.
    """
    modalities = {}
    for name, source in (sources or {}).items():
        if source is None:
            continue
        options = dict(source) if isinstance(source, Mapping) else {"path": source}
        if unknown := sorted(set(options) - {"path", "missing"}):
            raise InputError(f"modality '{name}': unknown key '{unknown[0]}'; the keys are path and missing")
        if "path" not in options:
            raise InputError(
                f"modality '{name}': no path; give {name}: FILE or {name}: {{path: FILE, missing: zero_rows}}"
            )
        path = folder / Path(options.pop("path")).expanduser()
        modalities[name] = read_modality(path, num_entities, **options)
    return modalities


def read_modality(path: str | Path, num_entities: int, missing: Missing = "index") -> Modality:
    """Features of one modality, one row per entity in id order, kept in the floating-point type of the file.

    Files: ``.pth`` and ``.pt`` hold a tensor or a dictionary, ``.safetensors`` named tensors, ``.npy`` one array. Named
    tensors are ``features (rows, dim)`` and optionally ``index (rows,)``, the entity id of each row, or
    ``present (entities,)``, a bool mask.

    Args:
        path: of the file.
        num_entities: of the graph.
        missing: which entities lack the modality. ``index``: those that the file's ``index`` or ``present`` leaves
            out, none if it has neither; ``zero_rows``: also those whose row is all zeros; ``none``: no entity may.

    Raises:
        InputError: the file is missing, damaged, of another kind or does not fit the entities; a value is not finite.
    """
    path = Path(path)
    if missing not in ("index", "zero_rows", "none"):
        raise InputError(f"{path}: missing is '{missing}'; expected index, zero_rows or none")
    tensors = _load(path)
    features = tensors["features"]
    if features.ndim != 2 or features.shape[1] == 0:
        raise InputError(f"{path}: features have shape {tuple(features.shape)}; expected (entities, dim)")
    if features.dtype not in FLOATING:
        raise InputError(f"{path}: features are {features.dtype}; expected floating point, convert them with .float()")
    if "index" in tensors:
        features, present = _scatter(path, features, tensors["index"], num_entities)
    else:
        _require_rows(path, features, num_entities)
        present = _mask(path, tensors.get("present"), num_entities)
        if features[~present].any():
            features = features.masked_fill(~present[:, None], 0)
    _require_finite(path, features)
    if missing == "zero_rows":
        present = present & (features != 0).any(dim=1)
    if missing == "none" and not present.all():
        raise InputError(
            f"{path}: no features for {_some(~present)}; missing=none needs all {num_entities}. Use missing=index to "
            "treat them as missing"
        )
    return Modality(features, present)


def _load(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name, ``features`` among them."""
    readers: dict[str, Callable[[Path], Any]] = {
        ".pth": _load_torch,
        ".pt": _load_torch,
        ".safetensors": load_file,
        ".npy": _load_numpy,
    }
    if path.suffix not in readers:
        raise InputError(f"{path}: unknown kind of feature file; expected {', '.join(readers)}")
    if not path.is_file():
        raise InputError(
            f"{path}: no such feature file; correct the path, or set the modality to null to go without it"
        )
    try:
        content = readers[path.suffix](path)
    except Exception as error:  # damaged files raise whatever their readers stumble over
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: cannot be read as tensors: {reason} The file is damaged, cut short, or holds pickled "
            "objects, which could run code and are never loaded; save the tensor alone with torch.save(features, path)"
        ) from error
    tensors = {"features": content} if isinstance(content, Tensor) else content
    if not isinstance(tensors, dict) or not isinstance(tensors.get("features"), Tensor):
        found = f"keys {', '.join(map(str, tensors))}" if isinstance(tensors, dict) else type(content).__name__
        raise InputError(
            f"{path}: holds {found}; expected a tensor named 'features', with 'index' or 'present' if you like"
        )
    return tensors


def _load_torch(path: Path) -> Any:
    return torch.load(path, weights_only=True, map_location="cpu", mmap=zipfile.is_zipfile(path))


def _load_numpy(path: Path) -> Tensor:
    return torch.from_numpy(np.load(path, mmap_mode="c", allow_pickle=False))


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


def _require_finite(path: Path, features: Tensor) -> None:
    finite = features.isfinite().all(dim=1)
    if not finite.all():
        raise InputError(
            f"{path}: NaN or infinite features for {_some(~finite)}; mend these rows, or mark the entities as missing "
            "with an 'index' or 'present' tensor"
        )


def _some(entities: Tensor) -> str:
    """The first ids of a mask ``(entities,)`` in words."""
    ids = entities.nonzero().flatten().tolist()
    more = f", ... ({len(ids)} in all)" if len(ids) > 5 else ""
    return f"entity {'id' if len(ids) == 1 else 'ids'} {', '.join(map(str, ids[:5]))}{more}"
