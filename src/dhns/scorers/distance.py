"""Distances between queries and table rows."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from dhns.kernels.pairs import measure_pairs
from dhns.kernels.torch_pairs import EPSILON

Norm = Literal["l1", "l2", "modulus"]
"""See `dhns.kernels.pairs.measure_pairs`."""


def pairwise_distance(query: Tensor, candidate: Tensor, norm: Norm) -> Tensor:
    """``(...)`` distance of vectors ``(..., D)`` that broadcast."""
    return length(query - candidate, norm)


def length(difference: Tensor, norm: Norm) -> Tensor:
    """``(...)`` norm of differences ``(..., D)``."""
    if norm == "l1":
        return difference.abs().sum(-1)
    if norm == "l2":
        return (difference.square().sum(-1) + EPSILON).sqrt()
    real, imaginary = difference.chunk(2, dim=-1)
    return (real.square() + imaginary.square() + EPSILON).sqrt().sum(-1)


def indexed_distance(query: Tensor, table: Tensor, index: Tensor, norm: Norm) -> Tensor:
    """``(B, N)`` distance of queries ``(B, D)`` to rows ``index`` ``(B, N)`` of ``table`` ``(E, D)``."""
    return measure_pairs(query, table, index, norm)


def all_distances(query: Tensor, table: Tensor, norm: Norm) -> Tensor:
    """``(B, E)`` distance of queries ``(B, D)`` to every row of ``table`` ``(E, D)``."""
    return measure_pairs(query, table, None, norm)
