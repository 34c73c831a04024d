"""Distances and inner products of pairs of rows by ``pairs.c``, on torch tensors: contiguous float32 on the processor.

Shapes: B queries, N candidates of each, E rows of a table, D width. ``index`` is ``(B, N)`` int64, or None: all rows.
"""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from dhns.kernels.build import library

MEASURES = ("l1", "l2", "modulus", "product")
"""In the order of the C enumeration."""


def usable(*tensors: Tensor) -> bool:
    """Whether the kernels can take these tensors here."""
    fitting = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return fitting and library("pairs") is not None


def measured(query: Tensor, table: Tensor, index: Tensor | None, measure: str) -> Tensor:
    """``(B, N)`` measures of queries ``(B, D)`` and their candidates among the rows of ``table`` ``(E, D)``."""
    query, table = query.contiguous(), table.contiguous()
    if index is None:
        found = query.new_empty(len(query), len(table))
        _call("all_pairs", found, query, table, len(query), len(table), query.shape[1], MEASURES.index(measure))
    else:
        index = _rows(index, len(table))
        found = query.new_empty(index.shape)
        _call("indexed_pairs", found, query, table, index, *index.shape, query.shape[1], MEASURES.index(measure))
    return found


def gradients(
    gradient: Tensor, found: Tensor, query: Tensor, table: Tensor, index: Tensor | None, measure: str
) -> tuple[Tensor, Tensor]:
    """Gradients ``(B, D)`` of the queries and ``(E, D)`` of the table from that of what was found, ``(B, N)``."""
    gradient, found, query, table = (tensor.contiguous() for tensor in (gradient, found, query, table))
    index = None if index is None else _rows(index, len(table))
    to_query, to_table = torch.empty_like(query), torch.empty_like(table)
    tensors, width = (gradient, found, query, table, index), query.shape[1]
    _call("gradient_of_queries", to_query, *tensors, *found.shape, width, MEASURES.index(measure))
    start, pair = None, None
    if index is not None:
        start, pair = index.new_zeros(len(table) + 2), torch.empty_like(index)
    _call("gradient_of_table", to_table, start, pair, *tensors, *found.shape, len(table), width, MEASURES.index(measure))
    return to_query, to_table


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
