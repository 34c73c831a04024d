"""Linear layers that stay as they are, in products of 8-bit integers."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from dhns.compat import product_of_int8
from dhns.errors import InputError

_LARGEST = 127


class Int8Linear:
    """``x W^T + b`` with weights and inputs rounded to 8 bits and exact sums: faster than bf16 on processors.

    Each output's weights and each row of inputs have a scale of their own, the largest of them being 127, so that a
    product is off by about a hundredth of a row's length. Not differentiable.

    Args:
        weight: ``(out, in)``.
        bias: ``(out,)`` or none.
        dtype: of outputs.

    Raises:
        InputError: the device is not a processor, or has no such products.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None, dtype: torch.dtype = torch.float32) -> None:
        if not supported(weight.device.type):
            raise InputError(
                f"products of 8-bit integers do not work on this {weight.device.type} device; set "
                "generator.model.int8=false"
            )
        rounded, scale = _rounded(weight.float())
        self._weight, self._scale, self._dtype = rounded.T, scale.T.to(dtype), dtype
        self._bias = None if bias is None else bias.to(dtype)

    def __call__(self, rows: Tensor) -> Tensor:
        """``(N, out)`` of ``(N, in)``."""
        rounded, scale = _rounded(rows)
        scale = scale.to(self._dtype)
        found = product_of_int8(rounded, self._weight).to(self._dtype).mul_(self._scale)
        return found.mul_(scale) if self._bias is None else torch.addcmul(self._bias, found, scale)


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor]:
    """``(N, D)`` int8 and ``(N, 1)`` by which to multiply them."""
    largest = torch.maximum(rows.amax(1, keepdim=True), -rows.amin(1, keepdim=True)).clamp_(min=1e-30)
    return (rows * (_LARGEST / largest)).round_().to(torch.int8), largest / _LARGEST


@functools.cache
def supported(device: str) -> bool:
    """Whether a type of device multiplies 8-bit integers exactly.

    Some processors cut sums of their products off at 16 bits, and `product_of_int8` asks for certain sizes elsewhere.
    """
    if device != "cpu":
        return False
    extreme = torch.full((32, 64), _LARGEST, dtype=torch.int8)
    try:
        return bool((product_of_int8(extreme, extreme.T) == 64 * _LARGEST**2).all())
    except RuntimeError:
        return False
