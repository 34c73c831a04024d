"""Numbers of the settings on the device of a step, sent there once and not at every step."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import torch
from torch import Tensor


def constant(values: Iterable[float], like: Tensor) -> Tensor:
    """``(n,)`` the numbers in the type and on the device of ``like``; kept, so that nobody may write to it.

    `Tensor.new_tensor` would copy them from the memory of the program at each call, and wait for an accelerator.
    """
    return _kept(tuple(values), like.dtype, like.device)


@functools.lru_cache(maxsize=256)
def _kept(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):  # else what a validation makes first, no backward pass could keep
        return torch.tensor(values, dtype=dtype, device=device)
