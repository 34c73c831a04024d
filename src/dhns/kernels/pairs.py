"""Distances and inner products of queries with candidates, by the way that is the quickest where their tensors are.

No way holds a ``(queries, candidates, width)`` tensor: C on the processor and Triton on CUDA keep a pair in registers,
and torch, everywhere else, takes a chunk at a time (`dhns.kernels.chunks`). All three have one interface.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from dhns.kernels import c_pairs, torch_pairs, triton_pairs
from dhns.kernels.chunks import at_least_float32
from dhns.kernels.measures import Measure as Measure


class Way(Protocol):
    """A module that measures pairs."""

    def usable(self, *tensors: Tensor) -> bool:
        """Whether it can take these tensors here."""

    def measure_pairs(self, query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
        """See `measure_pairs`; queries and rows are of one type and one width."""


WAYS: tuple[Way, ...] = (c_pairs, triton_pairs, torch_pairs)
"""In the order in which they are asked; the last takes everything."""


def measure_pairs(query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
    """``(B, N)`` measures of queries ``(B, D)`` and their candidates, in the higher precision of the two.

    No lower than float32. Differentiable once in both; gradients are summed in an order of the data alone.

    Args:
        query: B.
        table: ``(E, D)``.
        index: ``(B, N)`` int64 rows of ``table``; all rows for every query when null.
        measure: ``l1`` is the sum of absolute differences; ``l2`` the Euclidean distance; ``modulus`` the sum of the
            moduli of complex differences, the first half of a vector being the real and the second the imaginary
            parts; ``product`` the inner product. Roots are smoothed by 1e-12 so that their gradient exists at zero.

    Raises:
        ValueError: queries and rows differ in width.
    """
    query, table = at_least_float32(query, table)
    if query.shape[1] != table.shape[1]:
        raise ValueError(f"queries of width {query.shape[1]} for rows of width {table.shape[1]}")
    way = next(way for way in WAYS if way.usable(query, table))
    return way.measure_pairs(query, table, index, measure)
