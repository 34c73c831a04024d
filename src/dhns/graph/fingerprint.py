"""SHA-256 of everything a result depends on in the data, so that two results can be told to share it."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Vocabulary


def fingerprint(graph: KnowledgeGraph) -> dict[str, str]:
    """Hexadecimal SHA-256 of each split, ``filter_only``, the ``entities`` and ``relations`` keys, and ``modality/*``.

    ``removed/*`` are of the masks of entities that lost a modality on purpose: equal masks, equal hashes.

    Names and labels of the graph do not count; the order of rows does.
    """
    prints = {split: _digest(graph.split(split)) for split in SPLITS}
    prints["filter_only"] = _digest(graph.filter_only)
    prints["entities"] = key_fingerprint(graph.entities)
    prints["relations"] = key_fingerprint(graph.relations)
    for name, modality in graph.modalities.items():
        prints[f"modality/{name}"] = _digest(modality.features, modality.present)
    for name, mask in graph.removed.items():
        prints[f"removed/{name}"] = _digest(mask)
    return prints


def key_fingerprint(vocabulary: Vocabulary) -> str:
    """Hexadecimal SHA-256 of the keys in id order."""
    return hashlib.sha256("\n".join(vocabulary.keys).encode()).hexdigest()


def _digest(*tensors: Tensor) -> str:
    """Over type, shape and bytes of each tensor."""
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}\n".encode())
        # flat, as an empty tensor may have strides that no view takes
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
