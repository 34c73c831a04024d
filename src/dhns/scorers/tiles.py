"""Scores of many candidates in tiles, whatever the match does to the candidates.

A match that transforms every candidate by the relation of its query leaves several ``(batch, candidates, dim)`` tensors
behind under autograd. Here the batch is cut into tiles, see `dhns.kernels.chunks`; the backward matches each tile again
and differentiates it on its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from dhns.kernels.chunks import DEFAULT_CHUNK_BYTES, at_least_float32, chunk_bytes, parts, tiles

Match = Callable[[Tensor, Tensor], Tensor]
"""Queries ``(..., Q)`` and candidates ``(..., D)``, which broadcast, to scores ``(...)``.

No other tensor that it uses may require gradients: they would be lost, but for `matched_all`.
"""


def tiled_indexed(match: Match, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
    """``(B, N)`` matches of queries ``(B, Q)`` with the rows ``index`` ``(B, N)`` of ``table`` ``(E, D)``.

    See `at_least_float32` for the precision: autocast is off inside, forward and backward alike.
    """
    score: Tensor = _TiledIndexed.apply(match, *at_least_float32(query, table), index)  # type: ignore[no-untyped-call]
    return score


def tiled_all(match: Match, query: Tensor, table: Tensor) -> Tensor:
    """``(B, E)`` matches of queries ``(B, Q)`` with every row of ``table`` ``(E, D)``; precision as `tiled_indexed`."""
    score: Tensor = _TiledAll.apply(match, *at_least_float32(query, table))  # type: ignore[no-untyped-call]
    return score


def matched_all(match: Match, query: Tensor, table: Tensor) -> Tensor:
    """As `tiled_all`, of a match that may have parameters of its own: some queries at a time, at the whole table.

    Nothing is known of what the match makes of a pair but that it has the width of an entity, so that chunks are of
    `DEFAULT_CHUNK_BYTES` on every device; what fits into one is matched as it is.
    """
    rows = max(1, DEFAULT_CHUNK_BYTES // max(1, table.numel() * table.element_size()))
    if len(query) <= rows:
        return match(query[:, None], table)
    if not torch.is_grad_enabled():
        return torch.cat([match(query[chunk, None], table) for chunk in parts(len(query), rows)])
    scores = [checkpoint(match, query[chunk, None], table, use_reentrant=False) for chunk in parts(len(query), rows)]
    return torch.cat(scores)


class _TiledIndexed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, match: Match, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(query, table, index)
        ctx.match = match
        ctx.rows = max(1, chunk_bytes(table) // (index.shape[1] * table.shape[1] * table.element_size()))
        score = query.new_empty(index.shape)
        with torch.autocast(query.device.type, enabled=False):
            for tile in parts(len(query), ctx.rows):
                score[tile] = match(query[tile, None], table[index[tile]])
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None]:
        query, table, index = ctx.saved_tensors
        query_gradient = torch.empty_like(query)
        table_gradient = torch.zeros_like(table)
        for tile in parts(len(query), ctx.rows):
            to_asked, to_found = _gradients(ctx.match, query[tile, None], table[index[tile]], gradient[tile])
            query_gradient[tile] = to_asked[:, 0]
            table_gradient.index_add_(0, index[tile].flatten(), to_found.flatten(0, 1))
        return None, query_gradient, table_gradient, None


class _TiledAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, match: Match, query: Tensor, table: Tensor) -> Tensor:
        ctx.save_for_backward(query, table)
        ctx.match = match
        score = query.new_empty(len(query), len(table))
        with torch.autocast(query.device.type, enabled=False):
            for tile, row in tiles(query, table):
                score[tile, row] = match(query[tile, None], table[row])
        return score

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor]:
        query, table = ctx.saved_tensors
        query_gradient, table_gradient = torch.zeros_like(query), torch.zeros_like(table)
        for tile, row in tiles(query, table):
            to_asked, to_found = _gradients(ctx.match, query[tile, None], table[row], gradient[tile, row])
            query_gradient[tile] += to_asked[:, 0]
            table_gradient[row] += to_found
        return None, query_gradient, table_gradient


def _gradients(match: Match, asked: Tensor, found: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    """Of the queries and the candidates of one tile, from that of their scores."""
    with torch.enable_grad(), torch.autocast(asked.device.type, enabled=False):
        asked, found = asked.detach().requires_grad_(), found.detach().requires_grad_()
        return torch.autograd.grad(match(asked, found), (asked, found), gradient)
