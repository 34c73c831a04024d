"""Distances and inner products of pairs of rows by ``pairs.c``: float32 on the processor.

Shapes are those of `dhns.kernels.pairs`. Gradients are summed in an order of the data alone, whatever the
number of threads.
"""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from dhns.kernels.build import library
from dhns.kernels.measures import MEASURES, Measure


def usable(*tensors: Tensor) -> bool:
    """Whether the kernels can take these tensors here."""
    fitting = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return fitting and library("pairs") is not None


def measure_pairs(query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
    """See `dhns.kernels.pairs.measure_pairs`.

    Raises:
        IndexError: ``index`` names rows that ``table`` does not have.
    """
    found: Tensor = _Pairs.apply(query, table, index, measure)  # type: ignore[no-untyped-call]
    return found


class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, table: Tensor, index: Tensor | None, measure: Measure) -> Tensor:
        query, table = query.contiguous(), table.contiguous()
        shape, last = (len(query), len(table), query.shape[1]), MEASURES.index(measure)
        if index is None:
            found = query.new_empty(len(query), len(table))
            _call("all_pairs", found, query, table, *shape, last)
        else:
            index = _rows(index, len(table))
            found = query.new_empty(index.shape)
            _call("indexed_pairs", found, query, table, index, *index.shape, query.shape[1], last)
        ctx.measure = last
        ctx.save_for_backward(query, table, index, found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        query, table, index, found = ctx.saved_tensors
        tensors, width = (gradient.contiguous(), found, query, table, index), query.shape[1]
        to_query, to_table = None, None
        if index is None and all(ctx.needs_input_grad[:2]):
            to_query, to_table = torch.empty_like(query), torch.empty_like(table)
            _call("gradients_of_all", to_query, to_table, *tensors[:4], *found.shape, width, ctx.measure)
            return to_query, to_table, None, None
        if ctx.needs_input_grad[0]:
            to_query = torch.empty_like(query)
            _call("gradient_of_queries", to_query, *tensors, *found.shape, width, ctx.measure)
        if ctx.needs_input_grad[1]:
            to_table, start, pair = torch.empty_like(table), None, None
            if index is not None:
                start, pair = index.new_zeros(len(table) + 2), torch.empty_like(index)
            _call("gradient_of_table", to_table, start, pair, *tensors, *found.shape, len(table), width, ctx.measure)
        return to_query, to_table, None, None


def _rows(index: Tensor, rows: int) -> Tensor:
    """``index``, checked as torch would: C reads and writes whatever it is pointed to."""
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= rows):
        raise IndexError(f"candidate rows {int(index.min())} .. {int(index.max())} of a table of {rows} rows")
    return index.contiguous()


def _call(name: str, *arguments: Tensor | int | None) -> None:
    *values, measure = arguments
    function = getattr(library("pairs"), name)
    function.restype = None
    pointers_and_sizes = (
        ctypes.c_int64(value)
        if isinstance(value, int)
        else ctypes.c_void_p(None if value is None else value.data_ptr())
        for value in values
    )
    function(*pointers_and_sizes, ctypes.c_int(measure), ctypes.c_int(torch.get_num_threads()))  # type: ignore[arg-type]
