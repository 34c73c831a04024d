"""Files of feature rows, each row of an entity that its place, an id or a name tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from dhns.errors import InputError

SUFFIXES = (".safetensors", ".npz", ".npy", ".pth", ".pt")
_SHOWN = 5  # names that a message lists


@dataclass(frozen=True)
class FeatureRows:
    """What a file holds.

    Attributes:
        features: ``(rows, dim)``, of the type and shape in the file.
        index: ``(rows,)`` entity ids, if the file gives them.
        present: ``(entities,)`` mask of those that have a row, if the file gives it.
        keys: names of the entities, one for each row, if the file gives them.
    """

    features: Tensor
    index: Tensor | None = None
    present: Tensor | None = None
    keys: Sequence[str] | None = None


def read_rows(path: Path) -> FeatureRows:
    """The feature rows of a file; nothing is unpickled but tensors and plain containers.

    Tensors are copies, none is mapped from the file: what becomes of that later must not reach a run at work.

    ``.safetensors``, ``.npz`` and a dictionary in ``.pth`` or ``.pt`` hold ``features (rows, dim)`` and optionally
    ``index``, ``present`` or ``keys``; or else a vector ``(dim,)`` for each entity, by its name. ``.npy`` and a tensor
    in ``.pth`` or ``.pt`` are the features.

    Raises:
        InputError: the file is missing, damaged, of another kind, or holds something else.
    """
    content = _load(path)
    if isinstance(content, Tensor):
        return FeatureRows(content)
    if not isinstance(content, Mapping):
        raise InputError(f"{path}: holds {type(content).__name__}; expected a tensor, or tensors by name")
    features = content.get("features")
    if isinstance(features, Tensor) and content.keys() <= {"features", "index", "present", "keys"}:
        return FeatureRows(features, *_companions(path, content, len(features) if features.ndim else 0))
    if _is_vector(next(iter(content.values()), None)):
        return _stacked(path, content)
    raise InputError(
        f"{path}: holds {_listed(content)}; expected a tensor 'features' and optionally 'index', 'present' or 'keys', "
        "or a vector for each entity by its name"
    )


def _load(path: Path) -> Any:
    readers: dict[str, Callable[[Path], Any]] = {
        ".pth": _load_torch,
        ".pt": _load_torch,
        ".safetensors": _load_safetensors,
        ".npy": _load_array,
        ".npz": _load_arrays,
    }
    if path.suffix not in readers:
        raise InputError(f"{path}: unknown kind of feature file; expected {', '.join(readers)}")
    if not path.is_file():
        raise InputError(
            f"{path}: no such feature file; correct the path, or set the modality to null to go without it"
        )
    try:
        return readers[path.suffix](path)
    except Exception as error:  # damaged files raise whatever their readers stumble over
        # of torch's paragraph the first sentence: the others advise to load what may run code
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0].rstrip(".")
        raise InputError(
            f"{path}: cannot be read as tensors: {reason}. The file is damaged, cut short, or holds pickled "
            "objects, which could run code and are never loaded; save the tensor alone with torch.save(features, path)"
        ) from error


def _load_torch(path: Path) -> Any:
    return torch.load(path, weights_only=True, map_location="cpu")


def _load_safetensors(path: Path) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in load_file(path).items()}


def _load_array(path: Path) -> Tensor:
    return _tensor(np.load(path, allow_pickle=False))


def _load_arrays(path: Path) -> dict[str, Tensor | list[str]]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: _names_or_tensor(archive[name]) for name in archive.files}


def _names_or_tensor(array: np.ndarray) -> Tensor | list[str]:
    if array.dtype.kind == "S":
        return [name.decode() for name in array.ravel().tolist()]
    return array.ravel().tolist() if array.dtype.kind == "U" else _tensor(array)


def _tensor(array: np.ndarray) -> Tensor:
    """In a type that torch has: another order of bytes, or more of them, is no reason to refuse features."""
    if array.dtype.kind == "f" and (array.dtype.itemsize > 8 or not array.dtype.isnative):
        array = array.astype(np.float64)
    return torch.from_numpy(array)


def _companions(
    path: Path, content: Mapping[str, Any], rows: int
) -> tuple[Tensor | None, Tensor | None, Sequence[str] | None]:
    """What a file holds beside features: index, mask and keys."""
    index, present, keys = (content.get(name) for name in ("index", "present", "keys"))
    for name, value in (("index", index), ("present", present)):
        if value is not None and not isinstance(value, Tensor):
            raise InputError(f"{path}: {name} is {type(value).__name__}; expected a tensor")
    if keys is None:
        return index, present, None
    if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys) or len(keys) != rows:
        size = f"{len(keys)} in a {type(keys).__name__}" if hasattr(keys, "__len__") else type(keys).__name__
        raise InputError(f"{path}: keys are {size}; expected names in text, one for each of the {rows} feature rows")
    if index is not None or present is not None:
        raise InputError(f"{path}: holds keys and an index or a mask; leave one of the two out")
    name, uses = Counter(keys).most_common(1)[0] if keys else ("", 0)
    if uses > 1:
        raise InputError(f"{path}: keys hold '{name}' more than once; each entity may have one row")
    return None, None, keys


def _stacked(path: Path, vectors: Mapping[Any, Any]) -> FeatureRows:
    """A row for each name of a dictionary of vectors."""
    first = next(iter(vectors.values()))
    for name, vector in vectors.items():
        if not isinstance(name, str):
            raise InputError(
                f"{path}: holds vectors under {type(name).__name__}s such as {name}; expected names of entities in "
                "text, or a tensor 'features' with a tensor 'index' of entity ids"
            )
        if not _is_vector(vector) or len(vector) != len(first):
            shape = tuple(vector.shape) if isinstance(vector, Tensor) else type(vector).__name__
            raise InputError(
                f"{path}: the vector of '{name}' is {shape}; expected ({len(first)},) as for '{next(iter(vectors))}'"
            )
    rows = [
        torch.tensor(vector, dtype=torch.float32) if isinstance(vector, list) else vector for vector in vectors.values()
    ]
    return FeatureRows(torch.stack(rows), keys=tuple(vectors))


def _is_vector(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.ndim == 1
    return isinstance(value, list) and len(value) > 0 and all(isinstance(number, int | float) for number in value)


def _listed(content: Mapping[Any, Any]) -> str:
    """The first keys of a dictionary, in words."""
    if not content:
        return "nothing"
    more = f", ... ({len(content)} in all)" if len(content) > _SHOWN else ""
    return f"keys {', '.join(str(key)[:80] for key in list(content)[:_SHOWN])}{more}"
