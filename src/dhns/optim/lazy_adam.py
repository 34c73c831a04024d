"""Adam whose cost per step does not grow with the table that it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dhns.compat import rows_and_values

CHUNK_BYTES = {"cpu": 2**19}
"""Of a gradient, that a step takes at once: with what is made of it, it stays in a processor's cache."""
DEFAULT_CHUNK_BYTES = 2**28
"""The same for every other device."""


class LazyAdam(torch.optim.Adam):
    """Adam that reads and writes only rows with a gradient, where a gradient is sparse; plain Adam elsewhere.

    Rows that a step does not name keep their value and their moments, and do not move on by momentum, as they would in
    Adam. The bias correction counts all steps, as in `torch.optim.SparseAdam`. Weight decay acts on named rows only.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    with _in_any_order():
                        self._step_rows(parameter, *_each_row_once(parameter.grad), group)
                    parameter.grad = None
        super().step()
        return loss

    def _step_rows(self, parameter: nn.Parameter, rows: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        beta1, beta2 = group["betas"]
        scale, correction = group["lr"] / (1 - beta1 ** state["step"]), 1 - beta2 ** state["step"]
        limit = CHUNK_BYTES.get(slope.device.type, DEFAULT_CHUNK_BYTES)
        size = max(1, limit // (slope.shape[1] * slope.element_size()))
        for row, each in zip(torch.split(rows, size), torch.split(slope, size), strict=True):
            if group["weight_decay"]:
                each = each.add(parameter.index_select(0, row), alpha=group["weight_decay"])
            mean = state["exp_avg"].index_select(0, row).lerp_(each, 1 - beta1)
            square = state["exp_avg_sq"].index_select(0, row).mul_(beta2).addcmul_(each, each, value=1 - beta2)
            state["exp_avg"].index_copy_(0, row, mean)
            state["exp_avg_sq"].index_copy_(0, row, square)
            deviation = square.div_(correction).sqrt_().add_(group["eps"])
            parameter.index_add_(0, row, mean.div_(deviation).mul_(-scale))


def _each_row_once(gradient: Tensor) -> tuple[Tensor, Tensor]:
    """``(U,)`` rows of a sparse gradient, ascending, and ``(U, D)`` their values."""
    rows, values = rows_and_values(gradient)
    if bool((rows[1:] > rows[:-1]).all()):
        return rows, values  # of one look-up of distinct rows: coalescing would only copy it
    gradient = gradient.coalesce()
    return gradient.indices()[0], gradient.values()


@contextmanager
def _in_any_order() -> Iterator[None]:
    """Within, torch's deterministic mode is off, which sorts rows that are written to on a GPU.

    Rows that are all different, as those of a coalesced gradient, come to one result in any order.
    """
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
