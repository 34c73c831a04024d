"""How much is computed at once where no kernel holds back what it needs on the way."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import torch
from torch import Tensor

CHUNK_BYTES = {"cpu": 2 * 2**20}
"""Memory that the largest tensor of one chunk may take; small enough for the L2 cache of a processor."""
DEFAULT_CHUNK_BYTES = 256 * 2**20
"""The same for every other device, whose chunks should be large."""


def chunk_bytes(like: Tensor) -> int:
    """Memory that one chunk may take on the device of ``like``."""
    return CHUNK_BYTES.get(like.device.type, DEFAULT_CHUNK_BYTES)


def tile_of(query: Tensor, table: Tensor) -> tuple[int, int]:
    """Queries ``(B, ...)`` and rows of ``table`` ``(E, D)`` whose differences ``(queries, rows, D)`` are one chunk.

    All rows where at least four queries fit beside them.
    """
    cells = max(1, chunk_bytes(table) // (table.shape[1] * table.element_size()))
    queries = min(max(4, cells // max(1, len(table))), max(1, len(query)))
    return queries, min(max(1, cells // queries), max(1, len(table)))


def tiles(query: Tensor, table: Tensor) -> Iterator[tuple[slice, slice]]:
    """Queries and rows of every chunk, see `tile_of`: rows stay in the cache while all queries pass by."""
    queries, rows = tile_of(query, table)
    return ((chunk, row) for row in parts(len(table), rows) for chunk in parts(len(query), queries))


def parts(length: int, size: int) -> list[slice]:
    """``length`` things, ``size`` at a time."""
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in the highest precision among them, and no lower than float32: sums over a width need it."""
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
    return tuple(tensor.to(dtype) for tensor in tensors)
