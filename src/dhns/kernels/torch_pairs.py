"""Distances and inner products of pairs of rows in plain torch, a chunk at a time, on any device and in any precision.

The backward pass computes the differences of a chunk again. What becomes of a chunk fuses: `dhns.kernels.fusion`.
Shapes are those of `dhns.kernels.pairs`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dhns.kernels.chunks import chunk_bytes, parts, tiles
from dhns.kernels.fusion import fusible

EPSILON = 1e-12
"""Smooths roots at zero."""


def usable(*tensors: Tensor) -> bool:
    """Always."""
    return True


def measure_pairs(query: Tensor, table: Tensor, index: Tensor | None, measure: str) -> Tensor:
    """See `dhns.kernels.pairs.measure_pairs`."""
    if index is None:
        if measure == "product":
            with torch.autocast(query.device.type, enabled=False):
                return query @ table.T
        return _All.apply(query, table, measure)  # type: ignore[no-untyped-call, no-any-return]
    return _Indexed.apply(query, table, index, measure)  # type: ignore[no-untyped-call, no-any-return]


class _Indexed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, table: Tensor, index: Tensor, measure: str) -> Tensor:
        ctx.save_for_backward(query, table, index)
        ctx.measure = measure
        found = query.new_empty(index.shape)
        with torch.autocast(query.device.type, enabled=False):
            for chunk in _chunks(query, index):
                found[chunk] = _gathered(query[chunk], table, index[chunk], measure)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        query, table, index = ctx.saved_tensors
        to_query, to_table = torch.empty_like(query), torch.zeros_like(table)
        with torch.autocast(query.device.type, enabled=False):
            for chunk in _chunks(query, index):
                asked, rows = query[chunk], index[chunk]
                to_query[chunk], slope = _gathered_slopes(asked, table, rows, gradient[chunk], ctx.measure)
                to_table.index_add_(0, rows.flatten(), slope.flatten(0, 1))
        return to_query, to_table, None, None


def _chunks(query: Tensor, index: Tensor) -> list[slice]:
    """Rows of the batch whose differences to all their candidates are one chunk."""
    return parts(len(query), max(1, chunk_bytes(query) // (index.shape[1] * query.shape[1] * query.element_size())))


class _All(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, table: Tensor, measure: str) -> Tensor:
        ctx.save_for_backward(query, table)
        ctx.measure = measure
        found = query.new_empty(len(query), len(table))
        for chunk, row in tiles(query, table):
            found[chunk, row] = _spread(query[chunk], table[row], measure)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        query, table = ctx.saved_tensors
        to_query, to_table = torch.zeros_like(query), torch.zeros_like(table)
        for chunk, row in tiles(query, table):
            of_queries, of_rows = _spread_slopes(query[chunk], table[row], gradient[chunk, row], ctx.measure)
            to_query[chunk] += of_queries
            to_table[row] += of_rows
        return to_query, to_table, None


@fusible
def _gathered(query: Tensor, table: Tensor, index: Tensor, measure: str) -> Tensor:
    """Measures of one chunk of queries and their candidates."""
    if measure == "product":
        return (table[index] @ query[:, :, None]).squeeze(-1)
    return _reduce(table[index].sub_(query[:, None]), measure)


@fusible
def _gathered_slopes(
    query: Tensor, table: Tensor, index: Tensor, gradient: Tensor, measure: str
) -> tuple[Tensor, Tensor]:
    """Gradients of queries ``(B, D)`` and of their candidates ``(B, N, D)``, from that of their measures ``(B, N)``."""
    if measure == "product":
        return (gradient[:, None] @ table[index])[:, 0], gradient[:, :, None] * query[:, None]
    slope = _slope(table[index].sub_(query[:, None]), gradient, measure)
    return slope.sum(1).neg_(), slope


@fusible
def _spread(query: Tensor, table: Tensor, measure: str) -> Tensor:
    """Distances ``(B, E)`` of one tile."""
    return _reduce(query[:, None] - table, measure)


@fusible
def _spread_slopes(query: Tensor, table: Tensor, gradient: Tensor, measure: str) -> tuple[Tensor, Tensor]:
    """Gradients of queries ``(B, D)`` and rows ``(E, D)`` of one tile, from that of their distances ``(B, E)``."""
    slope = _slope(query[:, None] - table, gradient, measure)
    return slope.sum(1), slope.sum(0).neg_()


def _reduce(difference: Tensor, measure: str) -> Tensor:
    """Norm of differences ``(..., D)``, which are overwritten."""
    if measure == "l1":
        return difference.abs_().sum(-1)
    if measure == "l2":
        return difference.square_().sum(-1).add_(EPSILON).sqrt_()
    real, imaginary = difference.square_().chunk(2, dim=-1)
    return real.add_(imaginary).add_(EPSILON).sqrt_().sum(-1)


def _slope(difference: Tensor, gradient: Tensor, measure: str) -> Tensor:
    """Gradient with respect to ``difference`` ``(B, N, D)``, which is overwritten, from that of its norm ``(B, N)``."""
    if measure == "l1":
        return difference.sign_().mul_(gradient[:, :, None])
    if measure == "l2":
        scale = difference.square().sum(-1).add_(EPSILON).rsqrt_().mul_(gradient)
        return difference.mul_(scale[:, :, None])
    split = difference.view(*difference.shape[:-1], 2, -1)
    scale = split.square().sum(2).add_(EPSILON).rsqrt_().mul_(gradient[:, :, None])
    split.mul_(scale[:, :, None])
    return difference
