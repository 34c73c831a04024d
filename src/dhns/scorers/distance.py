"""Distances between queries and table rows without a ``(batch, candidates, dim)`` tensor in memory.

Gathering the candidates of a whole batch writes and re-reads gigabytes. On the processor a C kernel takes each
candidate straight from the table (`dhns.kernels.pairs`). Elsewhere the batch is cut into chunks, small enough for
the cache where there is one to hit; the backward computes the differences again. Both fuse: `dhns.kernels.fusion`.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dhns.kernels import pairs
from dhns.kernels.fusion import fusible
from dhns.scorers.tiles import at_least_float32, chunk_bytes, tiled_all

Norm = Literal["l1", "l2", "modulus"]

_EPSILON = 1e-12


def pairwise_distance(query: Tensor, candidate: Tensor, norm: Norm) -> Tensor:
    """``(...)`` distance of vectors ``(..., D)`` that broadcast.

    See `length` for the norms.
    """
    return length(query - candidate, norm)


def length(difference: Tensor, norm: Norm) -> Tensor:
    """``(...)`` norm of differences ``(..., D)``.

    ``l1`` is the sum of absolute values; ``l2`` the Euclidean length; ``modulus`` the sum of the moduli of complex
    numbers, the first half of a vector being the real and the second the imaginary parts. Roots are smoothed by 1e-12
    so that their gradient exists at zero.
    """
    if norm == "l1":
        return difference.abs().sum(-1)
    if norm == "l2":
        return (difference.square().sum(-1) + _EPSILON).sqrt()
    real, imaginary = difference.chunk(2, dim=-1)
    return (real.square() + imaginary.square() + _EPSILON).sqrt().sum(-1)


def indexed_distance(query: Tensor, table: Tensor, index: Tensor, norm: Norm) -> Tensor:
    """``(B, N)`` distance of queries ``(B, D)`` to rows ``index`` ``(B, N)`` of ``table`` ``(E, D)``.

    In the higher precision of the two, at least float32.
    """
    query, table = at_least_float32(query, table)
    if pairs.usable(query, table):
        return pairs.measure_pairs(query, table, index, norm)
    distance: Tensor = _ChunkedDistance.apply(query, table, index, norm)  # type: ignore[no-untyped-call]
    return distance


def all_distances(query: Tensor, table: Tensor, norm: Norm) -> Tensor:
    """``(B, E)`` distance of queries ``(B, D)`` to every row of ``table`` ``(E, D)``; precision as `indexed_distance`.

    Without the kernel, training against all entities takes memory for all differences.
    """
    query, table = at_least_float32(query, table)
    if pairs.usable(query, table):
        return pairs.measure_pairs(query, table, None, norm)
    if torch.is_grad_enabled() and (query.requires_grad or table.requires_grad):
        return pairwise_distance(query[:, None], table, norm)
    return tiled_all(lambda asked, found: _reduce(asked - found, norm), query, table)


@fusible
def _gathered(query: Tensor, table: Tensor, index: Tensor, norm: Norm) -> Tensor:
    """`indexed_distance` of one chunk."""
    return _reduce(table[index].sub_(query[:, None]), norm)


@fusible
def _gathered_slope(query: Tensor, table: Tensor, index: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """Gradient ``(B, N, D)`` with respect to the differences of one chunk, from that of their norms ``(B, N)``."""
    return _slope(table[index].sub_(query[:, None]), gradient, norm)


def _reduce(difference: Tensor, norm: Norm) -> Tensor:
    """Norm of differences ``(..., D)``, which are overwritten."""
    if norm == "l1":
        return difference.abs_().sum(-1)
    if norm == "l2":
        return difference.square_().sum(-1).add_(_EPSILON).sqrt_()
    real, imaginary = difference.square_().chunk(2, dim=-1)
    return real.add_(imaginary).add_(_EPSILON).sqrt_().sum(-1)


class _ChunkedDistance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, table: Tensor, index: Tensor, norm: Norm) -> Tensor:
        ctx.save_for_backward(query, table, index)
        ctx.norm = norm
        distance = query.new_empty(index.shape)
        for chunk in _chunks(query, index):
            distance[chunk] = _gathered(query[chunk], table, index[chunk], norm)
        return distance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:
        query, table, index = ctx.saved_tensors
        query_gradient = torch.empty_like(query)
        table_gradient = torch.zeros_like(table)
        for chunk in _chunks(query, index):
            slope = _gathered_slope(query[chunk], table, index[chunk], gradient[chunk], ctx.norm)
            query_gradient[chunk] = slope.sum(1).neg_()
            table_gradient.index_add_(0, index[chunk].flatten(), slope.flatten(0, 1))
        return query_gradient, table_gradient, None, None


def _chunks(query: Tensor, index: Tensor) -> list[slice]:
    """Rows of the batch whose differences to all their candidates take `chunk_bytes`."""
    rows = max(1, chunk_bytes(query) // (index.shape[1] * query.shape[1] * query.element_size()))
    return [slice(start, start + rows) for start in range(0, len(query), rows)]


def _slope(difference: Tensor, gradient: Tensor, norm: Norm) -> Tensor:
    """Gradient with respect to ``difference`` ``(B, N, D)``, which is overwritten, from that of its norm ``(B, N)``."""
    if norm == "l1":
        return difference.sign_().mul_(gradient[:, :, None])
    if norm == "l2":
        scale = difference.square().sum(-1).add_(_EPSILON).rsqrt_().mul_(gradient)
        return difference.mul_(scale[:, :, None])
    parts = difference.view(*difference.shape[:-1], 2, -1)
    scale = parts.square().sum(2).add_(_EPSILON).rsqrt_().mul_(gradient[:, :, None])
    parts.mul_(scale[:, :, None])
    return difference
