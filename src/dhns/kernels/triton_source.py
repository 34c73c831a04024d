"""The loops of ``pairs.c`` for CUDA; imported only where Triton is installed, as every name here is compiled by it.

Row-major float32, offsets of 64 bits. No program writes to what another writes to, and each sums in a fixed order. A
candidate outside of the table is measured as NaN: to check the index would be to wait for it.
"""

from __future__ import annotations

import triton
import triton.language as tl

L1, L2, MODULUS, PRODUCT = (tl.constexpr(number) for number in range(4))  # as the C enumeration has them
EPSILON = tl.constexpr(1e-12)
QUERIES, QUERIES_OF_ALL, ROWS, ROWS_OF_ALL = (tl.constexpr(number) for number in range(4))


@triton.jit
def indexed_pairs(
    out, query, table, index, candidates, rows, width,
    MEASURE: tl.constexpr, CANDIDATES: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """``out`` (queries, candidates): a program measures `CANDIDATES` candidates of one query."""
    b = tl.program_id(0).to(tl.int64)
    n = tl.program_id(1) * CANDIDATES + tl.arange(0, CANDIDATES)
    named = n < candidates
    row = tl.load(index + b * candidates + n, mask=named, other=0)
    inside = named & (row >= 0) & (row < rows)
    half = width // 2
    columns = half if MEASURE == MODULUS else width
    total = tl.zeros((CANDIDATES,), dtype=tl.float32)
    for first in range(0, columns, WIDTH):
        d = first + tl.arange(0, WIDTH)
        there = d < columns
        both = inside[:, None] & there[None, :]
        asked = tl.load(query + b * width + d, mask=there, other=0.0)[None, :]
        found = tl.load(table + row[:, None] * width + d[None, :], mask=both, other=0.0)
        if MEASURE == PRODUCT:
            total += tl.sum(asked * found, axis=1)
        elif MEASURE == L1:
            total += tl.sum(tl.where(both, tl.abs(asked - found), 0.0), axis=1)
        elif MEASURE == L2:
            total += tl.sum(tl.where(both, (asked - found) * (asked - found), 0.0), axis=1)
        else:
            real = asked - found
            asked = tl.load(query + b * width + half + d, mask=there, other=0.0)[None, :]
            imaginary = asked - tl.load(table + row[:, None] * width + half + d[None, :], mask=both, other=0.0)
            modulus = tl.sqrt(real * real + imaginary * imaginary + EPSILON)
            total += tl.sum(tl.where(both, modulus, 0.0), axis=1)
    if MEASURE == L2:
        total = tl.sqrt(total + EPSILON)
    tl.store(out + b * candidates + n, tl.where(inside, total, float("nan")), mask=named)


@triton.jit
def all_pairs(
    out, query, table, queries, rows, width,
    MEASURE: tl.constexpr, QUERIES_AT_ONCE: tl.constexpr, ROWS_AT_ONCE: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """``out`` (queries, rows): a program measures a tile of pairs."""
    row = tl.program_id(0).to(tl.int64) * ROWS_AT_ONCE + tl.arange(0, ROWS_AT_ONCE)
    b = tl.program_id(1).to(tl.int64) * QUERIES_AT_ONCE + tl.arange(0, QUERIES_AT_ONCE)
    half = width // 2
    columns = half if MEASURE == MODULUS else width
    total = tl.zeros((QUERIES_AT_ONCE, ROWS_AT_ONCE), dtype=tl.float32)
    for first in range(0, columns, WIDTH):
        d = first + tl.arange(0, WIDTH)
        of_query, of_row = (
            (b < queries)[:, None] & (d < columns)[None, :],
            (row < rows)[:, None] & (d < columns)[None, :],
        )
        asked = tl.load(query + b[:, None] * width + d[None, :], mask=of_query, other=0.0)[:, None, :]
        found = tl.load(table + row[:, None] * width + d[None, :], mask=of_row, other=0.0)[None, :, :]
        if MEASURE == PRODUCT:
            total += tl.sum(asked * found, axis=2)
        elif MEASURE == L1:
            total += tl.sum(tl.abs(asked - found), axis=2)
        elif MEASURE == L2:
            total += tl.sum((asked - found) * (asked - found), axis=2)
        else:
            real = asked - found
            asked = tl.load(query + b[:, None] * width + half + d[None, :], mask=of_query, other=0.0)[:, None, :]
            found = tl.load(table + row[:, None] * width + half + d[None, :], mask=of_row, other=0.0)[None, :, :]
            imaginary = asked - found
            modulus = tl.sqrt(real * real + imaginary * imaginary + EPSILON)
            total += tl.sum(tl.where((d < columns)[None, None, :], modulus, 0.0), axis=2)
    if MEASURE == L2:
        total = tl.sqrt(total + EPSILON)
    tl.store(out + b[:, None] * rows + row[None, :], total, mask=(b < queries)[:, None] & (row < rows)[None, :])


@triton.jit
def gradients(
    out, gradient, found, own, other, index, start, candidates, rows, count, width,
    MEASURE: tl.constexpr, OF: tl.constexpr, PARTNERS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """``out`` like ``own``: a program sums `WIDTH` coordinates of one row of it over its partners among ``other``.

    ``index`` (queries, candidates) of `QUERIES`; of `ROWS` the pairs sorted by their row, those of a row from ``start``
    (rows + 1) on. The partners of a `QUERIES_OF_ALL` or `ROWS_OF_ALL` are all ``count`` others.
    """
    r = tl.program_id(0).to(tl.int64)
    half = width // 2
    columns = half if MEASURE == MODULUS else width
    d = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    there = d < columns
    a = tl.load(own + r * width + d, mask=there, other=0.0)[None, :]
    total = tl.zeros((WIDTH,), dtype=tl.float32)
    if MEASURE == MODULUS:
        a_imaginary = tl.load(own + r * width + half + d, mask=there, other=0.0)[None, :]
        total_imaginary = tl.zeros((WIDTH,), dtype=tl.float32)
    begin, end = 0, count
    if OF == ROWS:
        begin, end = tl.load(start + r), tl.load(start + r + 1)
    for first in range(begin, end, PARTNERS):
        k = first + tl.arange(0, PARTNERS)
        named = k < end
        if OF == QUERIES:
            pair = r * candidates + k
            partner = tl.load(index + pair, mask=named, other=0)
            named = named & (partner >= 0) & (partner < rows)
        elif OF == QUERIES_OF_ALL:
            pair = r * candidates + k
            partner = k
        elif OF == ROWS:
            pair = tl.load(index + k, mask=named, other=0)
            partner = pair // candidates
        else:
            pair = k.to(tl.int64) * rows + r
            partner = k
        place = partner.to(tl.int64)[:, None] * width + d[None, :]
        scale = tl.load(gradient + pair, mask=named, other=0.0)
        if MEASURE == L2:
            scale = scale / tl.load(found + pair, mask=named, other=1.0)
        both = named[:, None] & there[None, :]
        b = tl.load(other + place, mask=both, other=0.0)
        if MEASURE == PRODUCT:
            slope = b
        elif MEASURE == L1:
            slope = (a > b).to(tl.float32) - (a < b).to(tl.float32)
        elif MEASURE == L2:
            slope = a - b
        else:
            imaginary = a_imaginary - tl.load(other + place + half, mask=both, other=0.0)
            inverse = 1.0 / tl.sqrt((a - b) * (a - b) + imaginary * imaginary + EPSILON)
            slope = (a - b) * inverse
            total_imaginary += tl.sum(tl.where(both, scale[:, None] * imaginary * inverse, 0.0), axis=0)
        total += tl.sum(tl.where(both, scale[:, None] * slope, 0.0), axis=0)
    tl.store(out + r * width + d, total, mask=there)
    if MEASURE == MODULUS:
        tl.store(out + r * width + half + d, total_imaginary, mask=there)
