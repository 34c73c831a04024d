"""How one set of parameters is optimised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from dhns.errors import InputError
from dhns.ranges import Positive


class Optimization:
    """An optimizer, its learning-rate schedule and its gradient clipping; the model and the generator have one each.

    Args:
        optimizer: makes the optimizer from parameters, e.g. a partial `torch.optim.Adam` (weight decay goes there).
        scheduler: makes the schedule, stepped once per epoch, from the optimizer; constant when null.
        clip_norm: largest norm of the whole gradient; not clipped when null.
        sparse: the gradient of an entity table holds only the rows that a batch names; the optimizer must take it.

    Raises:
        InputError: ``clip_norm`` and ``sparse`` together: the norm of a sparse gradient is not implemented. Or
            optimizer and schedule do not work as a training uses them.
    """

    def __init__(
        self,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler] | None = None,
        clip_norm: Positive | None = None,
        sparse: bool = False,
    ) -> None:
        if sparse and clip_norm is not None:
            raise InputError("optimization.sparse and optimization.clip_norm exclude each other; set clip_norm=null")
        self.make_optimizer = optimizer
        self.make_scheduler = scheduler
        self.clip_norm = clip_norm
        self.sparse = sparse
        self._rehearse()

    def configure(self, parameters: Iterable[nn.Parameter]) -> dict[str, Any]:
        """What `LightningModule.configure_optimizers` returns for one optimizer."""
        optimizer = self.make_optimizer([p for p in parameters if p.requires_grad])
        if self.make_scheduler is None:
            return {"optimizer": optimizer}
        return {"optimizer": optimizer, "lr_scheduler": self.make_scheduler(optimizer)}

    def clip(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradients that ``optimizer`` is about to use."""
        if self.clip_norm is not None:
            clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], self.clip_norm)

    def _rehearse(self) -> None:
        """A step and an epoch with parameters that nobody needs: a refusal is told before there are others."""
        table, bias = nn.Parameter(torch.zeros(2, 1)), nn.Parameter(torch.zeros(1))
        gradient = torch.zeros_like(table)
        table.grad, bias.grad = gradient.to_sparse(1) if self.sparse else gradient, torch.zeros_like(bias)
        try:
            made = self.configure([table, bias])
            made["optimizer"].step()
            if "lr_scheduler" in made:
                made["lr_scheduler"].step()
        except (ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise InputError(f"optimization does not work: {error}") from None
