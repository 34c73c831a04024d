"""Features in our layout: named tensors in safetensors, which hold no code, and a note of what they were made from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from dhns.graph.features import read_modality
from dhns.graph.knowledge_graph import Modality
from dhns.sources.source import PublishedFile


def write_features(path: Path, modality: Modality, made_from: Mapping[str, str]) -> None:
    """Write the rows that exist and the entity id of each, whole or not at all; see `read_modality`.

    Args:
        path: of the ``.safetensors`` file.
        modality: to write.
        made_from: kept in the file's header.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    index = modality.present.nonzero().flatten()
    tensors: dict[str, Tensor] = {"features": modality.features[index].contiguous(), "index": index}
    try:
        save_file(tensors, temporary, metadata=dict(made_from))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def convert_official(file: PublishedFile, folder: Path, num_entities: int) -> tuple[Path, str]:
    """A published tensor, one row per entity in a pickle, as ``<modality>-official.safetensors`` beside it.

    The tensor is loaded without unpickling objects. Rows of zeros are entities that lack the modality.

    Returns:
        the new file, and in words how many entities have the modality.

    Raises:
        InputError: the file holds more than a tensor, or does not fit the entities.
    """
    modality = read_modality(folder / file.name, num_entities, missing="zero_rows")
    assert file.features is not None
    path = folder / file.features
    write_features(path, modality, {"made_from": file.name, "sha256": file.sha256})
    have = int(modality.present.sum())
    counted = f"{have:,} of {num_entities:,} entities have a row that is not zero"
    if file.entities is not None and have != file.entities:
        counted += (
            f"; the paper counts {file.entities:,} with this modality, so rows of others are filled in a way that the "
            "file does not mark, and count as present"
        )
    return path, counted
