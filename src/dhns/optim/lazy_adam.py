"""Adam whose cost per step does not grow with the table that it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


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
                        self._step_rows(parameter, parameter.grad.coalesce(), group)
                    parameter.grad = None
        super().step()
        return loss

    def _step_rows(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["step"] += 1
        rows, slope = gradient.indices()[0], gradient.values()
        if group["weight_decay"]:
            slope = slope.add(parameter.index_select(0, rows), alpha=group["weight_decay"])
        beta1, beta2 = group["betas"]
        mean = state["exp_avg"].index_select(0, rows).lerp_(slope, 1 - beta1)
        square = state["exp_avg_sq"].index_select(0, rows).mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
        state["exp_avg"].index_copy_(0, rows, mean)
        state["exp_avg_sq"].index_copy_(0, rows, square)
        scale = group["lr"] / (1 - beta1 ** state["step"])
        deviation = square.div_(1 - beta2 ** state["step"]).sqrt_().add_(group["eps"])
        parameter.index_add_(0, rows, mean.div_(deviation).mul_(-scale))


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
