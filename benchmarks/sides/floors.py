"""What the machine can do: nothing that multiplies matrices or moves bytes is faster."""

from __future__ import annotations

import torch

from benchmarks.turns import Turns

COPIED_BYTES = 2**28


def matrix_product(turns: Turns, rows: int, inner: int, columns: int, dtype: str, calls: int) -> None:
    """``(rows, inner) @ (inner, columns)``, counted in 1e9 floating-point operations."""
    a = torch.randn(rows, inner).to(getattr(torch, dtype))
    b = torch.randn(inner, columns).to(getattr(torch, dtype))
    out = a @ b

    def multiply() -> None:
        for _ in range(calls):
            torch.mm(a, b, out=out)

    turns.repeat(multiply, amount=calls * 2 * rows * inner * columns / 1e9)


def copy(turns: Turns, calls: int) -> None:
    """A copy of 256 MiB, which no cache holds, counted in 1e9 bytes read or written."""
    source = torch.randn(COPIED_BYTES // 4)
    target = torch.empty_like(source)

    def move() -> None:
        for _ in range(calls):
            target.copy_(source)

    turns.repeat(move, amount=calls * 2 * COPIED_BYTES / 1e9)
