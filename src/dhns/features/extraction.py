"""From raw material to a feature file: encoded in batches, pooled by entity, written whole with its description."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save
from torch import Tensor

from dhns.console import track
from dhns.errors import InputError
from dhns.features.encoder import FeatureEncoder
from dhns.features.finished_batches import EncodedItems, FinishedBatches
from dhns.features.material import Material
from dhns.files import sha256, write_bytes, write_json
from dhns.graph.fingerprint import key_fingerprint
from dhns.graph.knowledge_graph import Vocabulary
from dhns.ranges import Count

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Extraction:
    """How features are made.

    Attributes:
        batch_size: items that are encoded at once.
        dtype: of the stored features.
        when_unreadable: ``stop`` at an image that cannot be read, or ``skip`` it and count it.
        force: replace features that are there already.
        progress: show a progress bar.
    """

    batch_size: Count = 32
    dtype: Literal["float16", "float32"] = "float16"
    when_unreadable: Literal["stop", "skip"] = "stop"
    force: bool = False
    progress: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise InputError(f"batch_size is {self.batch_size}; at least 1 is needed")

    def run(self, material: Material, encoder: FeatureEncoder, entities: Vocabulary, path: Path) -> dict[str, Any]:
        """Write the features of the entities that have material, and beside them what they are.

        The file has ``features (rows, dim)`` and, unless all entities have material, ``index (rows,)``; see
        :func:`dhns.graph.features.read_modality`. Its description has the same name and ends in ``.json``. What an
        interrupted call has encoded is taken over by the next one. Features that are there already, of the same
        encoder, material and settings, are left as they are.

        Args:
            material: of the entities.
            encoder: for this kind of material.
            entities: of the graph, in id order.
            path: of the file, ``.safetensors``.

        Returns:
            The description.

        Raises:
            InputError: an image cannot be read, the file is there and is of something else, or a feature is not finite.
        """
        recipe = self._recipe(material, encoder, entities)
        if not self.force and (description := _existing(path, recipe)):
            return description
        finished = FinishedBatches(path, _digest(recipe))
        encoded = self._encode(material, encoder, finished)
        features, index = pool(encoded.rows, material.entities[encoded.items])
        features = features.to(DTYPES[self.dtype])
        _require_finite(features, index, entities)
        tensors = {"features": features} | ({"index": index} if len(index) < len(entities) else {})
        content = save(tensors)
        description = {
            **recipe,
            "unknown": len(material.unknown),
            "unreadable": len(material.items) - len(encoded.items),
            "entities_with_features": len(index),
            "shape": list(features.shape),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        # the tensors last: only with them is the extraction finished
        write_json(path.with_suffix(".json"), description)
        write_bytes(path, content)
        finished.remove()
        return description

    def _recipe(self, material: Material, encoder: FeatureEncoder, entities: Vocabulary) -> dict[str, Any]:
        """Everything that decides the features."""
        return {
            "encoder": encoder.description,
            "input": {
                "source": material.source,
                "items": len(material.items),
                "sha256": material.fingerprint(entities),
            },
            "entities": {"count": len(entities), "sha256": key_fingerprint(entities)},
            "pooling": "mean over the items of an entity",
            "batch_size": self.batch_size,
            "when_unreadable": self.when_unreadable,
            "dtype": self.dtype,
        }

    def _encode(self, material: Material, encoder: FeatureEncoder, finished: FinishedBatches) -> EncodedItems:
        batches = torch.split(torch.arange(len(material.items)), self.batch_size)
        parts = []
        for number, items in enumerate(track(batches, "Encoding", self.progress)):
            if (part := finished.load(number)) is None:
                part = self._encode_batch(material, encoder, items)
                finished.save(number, part)
            parts.append(part)
        parts = [part for part in parts if len(part.items)]
        if not parts:
            raise InputError(f"{material.source}: none of its {len(material.items)} images can be read")
        return EncodedItems(torch.cat([part.rows for part in parts]), torch.cat([part.items for part in parts]))

    def _encode_batch(self, material: Material, encoder: FeatureEncoder, items: Tensor) -> EncodedItems:
        loads = {item: self._load(material, item) for item in items.tolist()}
        loaded = {item: content for item, content in loads.items() if content is not None}
        rows = encoder.encode(list(loaded.values())) if loaded else torch.empty(0, 0)
        return EncodedItems(rows.contiguous(), torch.tensor(list(loaded), dtype=torch.int64))

    def _load(self, material: Material, item: int) -> Any:
        """What the encoder takes; None for an item that is skipped."""
        try:
            return material.load(item)
        except InputError:
            if self.when_unreadable == "stop":
                raise
            return None


def pool(rows: Tensor, entities: Tensor) -> tuple[Tensor, Tensor]:
    """Means over the rows of each entity.

    Args:
        rows: ``(items, dim)``.
        entities: ``(items,)`` int64.

    Returns:
        Means ``(n, dim)`` and the entities ``(n,)`` that they are of, ascending.
    """
    index, group = torch.unique(entities, return_inverse=True)
    sums = rows.new_zeros(len(index), rows.shape[1]).index_add_(0, group, rows)
    return sums / group.bincount()[:, None], index


def _existing(path: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """The description of the features that are there; None if none are.

    Raises:
        InputError: they were made in another way, or nothing says how.
    """
    if not path.exists():
        return None
    try:
        description: Any = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        described = isinstance(description, dict) and description.get("sha256") == sha256(path)
    except (OSError, ValueError):
        described = False
    other = [key for key, value in recipe.items() if description.get(key) != value] if described else ["description"]
    if other:
        raise InputError(
            f"{path} is there already, and is something else (it differs in: {', '.join(other)}); give another folder, "
            "or replace it with force=true"
        )
    return dict(description)


def _require_finite(features: Tensor, index: Tensor, entities: Vocabulary) -> None:
    finite = features.isfinite().all(dim=1)
    if not finite.all():
        entity = entities.keys[int(index[~finite][0])]
        raise InputError(
            f"the encoder gives NaN or values out of range for {int((~finite).sum())} entities, the first of them "
            f"{entity}; try dtype=float32, and look at the model"
        )


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
