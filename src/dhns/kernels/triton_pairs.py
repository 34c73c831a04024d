"""Distances and inner products of pairs of rows by Triton: float32 on CUDA, where Triton is installed.

Shapes are those of `dhns.kernels.pairs`. Rows of the table take their gradient from the pairs that name them, sorted by
row, so that no program waits for another and sums have one order.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dhns.kernels.measures import MEASURES, Measure

ROWS_AT_ONCE = 16
"""Candidates that a program compares with a query, or rows that it compares with `QUERIES_AT_ONCE` queries."""
QUERIES_AT_ONCE = 8
PARTNERS = 32
"""Pairs whose slopes a program adds at once."""


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


def usable(*tensors: Tensor) -> bool:
    """Whether the kernels can take these tensors here."""
    return all(tensor.device.type == "cuda" and tensor.dtype == torch.float32 for tensor in tensors) and _installed()


def measure_pairs(query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
    """See `dhns.kernels.pairs.measure_pairs`; a candidate outside of the table is NaN."""
    found: Tensor = _Pairs.apply(query, table, index, measure)  # type: ignore[no-untyped-call]
    return found


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
        from dhns.kernels import triton_source as source

        query, table = query.contiguous(), table.contiguous()
        (queries, width), rows, number = query.shape, len(table), MEASURES.index(measure)
        if index is None:
            found = query.new_empty(queries, rows)
            grid = (_parts(rows, ROWS_AT_ONCE), _parts(queries, QUERIES_AT_ONCE))
            tile = (QUERIES_AT_ONCE, ROWS_AT_ONCE, _at_once(width, 32))
            _launch(source.all_pairs, grid, found, query, table, queries, rows, width, number, *tile)
        else:
            index = index.contiguous()
            found = query.new_empty(index.shape)
            grid = (queries, _parts(index.shape[1], ROWS_AT_ONCE))
            of = (index.shape[1], rows, width, number, ROWS_AT_ONCE, _at_once(width, 128))
            _launch(source.indexed_pairs, grid, found, query, table, index, *of)
        ctx.measure = number
        ctx.save_for_backward(query, table, index, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        from dhns.kernels import triton_source as source

        query, table, index, found = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_query, to_table = None, None
        if ctx.needs_input_grad[0]:
            of = source.QUERIES_OF_ALL if index is None else source.QUERIES
            to_query = _gradients(gradient, found, query, table, index, None, of.value, ctx.measure)
        if ctx.needs_input_grad[1]:
            of, order, start = source.ROWS_OF_ALL, None, None
            if index is not None:
                of, (named, order) = source.ROWS, index.flatten().sort(stable=True)
                start = torch.searchsorted(named, torch.arange(len(table) + 1, device=named.device))
            to_table = _gradients(gradient, found, table, query, order, start, of.value, ctx.measure)
        return to_query, to_table, None, None


def _gradients(
    gradient: Tensor,
    found: Tensor,
    own: Tensor,
    other: Tensor,
    index: Tensor | None,
    start: Tensor | None,
    of: int,
    measure: int,
) -> Tensor:
    """``own``'s gradient; see ``gradients`` of `triton_source`."""
    from dhns.kernels import triton_source as source

    out, candidates, width = torch.empty_like(own), gradient.shape[1], own.shape[1]
    columns = width // 2 if MEASURES[measure] == "modulus" else width
    queries = of in (source.QUERIES.value, source.QUERIES_OF_ALL.value)
    rows, count = len(other) if queries else len(own), candidates if queries else len(other)
    at_once = _at_once(columns, 128)
    # what a way has no use for is never read
    pointers = (out, gradient, found, own, other, out if index is None else index, out if start is None else start)
    sizes = (candidates, rows, count, width, measure, of, PARTNERS, at_once)
    _launch(source.gradients, (len(own), _parts(columns, at_once)), *pointers, *sizes)
    return out


def _launch(kernel: Any, grid: tuple[int, int], *arguments: Tensor | int) -> None:
    if all(grid):
        kernel[grid](*arguments, enable_fp_fusion=True)


def _at_once(width: int, most: int) -> int:
    """A power of two, which Triton asks for."""
    return min(most, 1 << max(4, (width - 1).bit_length()))


def _parts(length: int, size: int) -> int:
    return -(-length // size)
