"""What a training step may trade for speed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from dhns.kernels.fusion import fusing


class Acceleration:
    """How the products and passes of a training step are computed; ranking is left alone.

    Args:
        matmul_precision: of float32 products: ``highest``; ``high`` takes TF32 where a GPU has it; ``medium`` takes
            bf16 where that is faster. See `torch.set_float32_matmul_precision`.
        compile: compile the denoiser and, where the C kernel does not run, the distances: `dhns.kernels.fusion`.
    """

    def __init__(
        self, matmul_precision: Literal["highest", "high", "medium"] = "highest", compile: bool = False
    ) -> None:
        self.matmul_precision = matmul_precision
        self.compile = compile

    @contextmanager
    def step(self) -> Iterator[None]:
        """Within, these settings hold for the process."""
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision(self.matmul_precision)
        try:
            with fusing(self.compile):
                yield
        finally:
            torch.set_float32_matmul_precision(before)
