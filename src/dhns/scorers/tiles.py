"""Scores of many candidates in cache-sized tiles, whatever the match does to the candidates.

A match that transforms every candidate by the relation of its query leaves several ``(batch, candidates, dim)`` tensors
behind under autograd. Here the batch is cut into tiles that fit the processor's cache; the backward matches each tile
again and differentiates it on its own.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

Match = Callable[[Tensor, Tensor], Tensor]
"""Queries ``(..., Q)`` and candidates ``(..., D)``, which broadcast, to scores ``(...)``.

No other tensor that it uses may require gradients: they would be lost.
"""

CHUNK_BYTES = {"cpu": 2 * 2**20}
"""Memory that the largest tensor of one chunk may take; small enough for the L2 cache of a processor."""
DEFAULT_CHUNK_BYTES = 256 * 2**20
"""The same for every other device, whose chunks should be large."""


def chunk_bytes(like: Tensor) -> int:
    """Memory that one chunk may take on the device of ``like``."""
    return CHUNK_BYTES.get(like.device.type, DEFAULT_CHUNK_BYTES)


def at_least_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors in the highest precision among them, and no lower than float32: sums over a width need it."""
    dtype = functools.reduce(torch.promote_types, (tensor.dtype for tensor in tensors), torch.float32)
    return tuple(tensor.to(dtype) for tensor in tensors)


def tiled_indexed(match: Match, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
    """``(B, N)`` matches of queries ``(B, Q)`` with the rows ``index`` ``(B, N)`` of ``table`` ``(E, D)``.

    See `at_least_float32` for the precision: autocast is off inside, forward and backward alike.
    """
    score: Tensor = _TiledIndexed.apply(match, *at_least_float32(query, table), index)  # type: ignore[no-untyped-call]
    return score


def tiled_all(match: Match, query: Tensor, table: Tensor) -> Tensor:
    """``(B, E)`` matches of queries ``(B, Q)`` with every row of ``table`` ``(E, D)``.

    Tiled without autograd only: under autograd memory is that of the plain match.
    """
    if torch.is_grad_enabled() and (query.requires_grad or table.requires_grad):
        return match(query[:, None], table)
    rows = 4
    columns = max(1, chunk_bytes(table) // (rows * table.shape[1] * table.element_size()))
    score = query.new_empty(len(query), len(table))
    # the tile of table rows stays in the cache while all queries pass by
    for column in range(0, len(table), columns):
        tile = table[column : column + columns]
        for row in range(0, len(query), rows):
            score[row : row + rows, column : column + columns] = match(query[row : row + rows, None], tile)
    return score


class _TiledIndexed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, match: Match, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(query, table, index)
        ctx.match = match
        ctx.rows = max(1, chunk_bytes(table) // (index.shape[1] * table.shape[1] * table.element_size()))
        score = query.new_empty(index.shape)
        with torch.autocast(query.device.type, enabled=False):
            for start in range(0, len(query), ctx.rows):
                tile = slice(start, start + ctx.rows)
                score[tile] = match(query[tile, None], table[index[tile]])
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None]:
        query, table, index = ctx.saved_tensors
        query_gradient = torch.empty_like(query)
        table_gradient = torch.zeros_like(table)
        with torch.enable_grad(), torch.autocast(query.device.type, enabled=False):
            for start in range(0, len(query), ctx.rows):
                tile = slice(start, start + ctx.rows)
                asked, found = query[tile, None].detach(), table[index[tile]].detach()
                score = ctx.match(asked.requires_grad_(), found.requires_grad_())
                to_asked, to_found = torch.autograd.grad(score, (asked, found), gradient[tile])
                query_gradient[tile] = to_asked[:, 0]
                table_gradient.index_add_(0, index[tile].flatten(), to_found.flatten(0, 1))
        return None, query_gradient, table_gradient, None
