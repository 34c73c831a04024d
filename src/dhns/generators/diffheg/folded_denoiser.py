"""The denoiser, split by what its first layer sees: what many rows or many steps have in common is computed once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from dhns.generators.diffheg.denoiser import Denoiser
from dhns.kernels.int8 import Int8Linear


class Share(NamedTuple):
    """What N conditions contribute, at every step of their chains.

    Attributes:
        hidden: ``(N, H)`` to the first layer.
        total, squares: ``(N, 1)`` to the sums that an input norm takes over noisy embedding, time and condition.
    """

    hidden: Tensor
    total: Tensor
    squares: Tensor


class Moments(NamedTuple):
    """What diffusion steps contribute: a table of S steps, and which of them a row takes.

    Attributes:
        step: ``(...)`` t of each row, or ``()``.
        choice: ``(N, S)``, or ``(1, S)`` for all rows: 1 at the step that is taken, otherwise 0.
        hidden: ``(S, H)`` to the first layer.
        total, squares: ``(S, 1)`` to the sums of an input norm.
    """

    step: Tensor
    choice: Tensor
    hidden: Tensor
    total: Tensor
    squares: Tensor


class FoldedDenoiser:
    """`Denoiser.forward` with fewer products, and no tensor wider than its input or hidden layer.

    - The first layer is split by input, so that time costs a table of steps. Under an input norm with mean m,
      deviation s, gains g and offsets o, ``W (g (z - m) / s + o) + b = ((W g) z - m (W g) 1) / s + W o + b``, which is
      split the same way.
    - The gains and offsets of the hidden norm, and trailing linear layers, are one linear layer.

    Weights are rounded once to autocast's type where autocast is on. Differentiable where gradients are enabled.

    Args:
        denoiser: whose weights must not change while this is used.
        int8: compute the products in 8-bit integers, without gradients; see `Int8Linear`.

    Attributes:
        dtype: of the hidden layer, and of the matrix products unless they are int8.
    """

    def __init__(self, denoiser: Denoiser, int8: bool = False) -> None:
        self._time, self._identity, self._input_norm = denoiser.time, denoiser.identity, denoiser.input_norm
        self._activation, self._hidden_norm, first, *others, self._output_norm = denoiser.output
        device = denoiser.input.weight.device.type
        self.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        with torch.autocast(device, enabled=False):
            weight, self._bias = _after_norm(denoiser.input, denoiser.input_norm)
            self._row_sums = weight.sum(1)
            noisy, self._time_weight, condition = weight.chunk(3, dim=1)
            output, offset = _after_norm(first, self._hidden_norm)
            for layer in others:
                assert isinstance(layer, nn.Linear)
                output, offset = layer.weight @ output, layer(offset)
            self._noisy, self._condition = self._product(noisy, None, int8), self._product(condition, None, int8)
            self._last = self._product(output, offset, int8)

    def _product(self, weight: Tensor, bias: Tensor | None, int8: bool) -> Callable[[Tensor], Tensor]:
        if int8:
            return Int8Linear(weight, bias, self.dtype)
        return partial(linear, weight=weight.to(self.dtype), bias=None if bias is None else bias.to(self.dtype))

    def share(self, condition: Tensor, identity: Tensor) -> Share:
        """What conditions ``(..., D)`` contribute; ``identity`` ``(...)`` as `Denoiser.forward` takes it."""
        flat = condition.flatten(0, -2)
        with torch.autocast(condition.device.type, enabled=False):
            hidden = self._condition(flat.to(self.dtype))
            if self._identity is not None:
                hidden = hidden + self._identity(identity.expand(condition.shape[:-1]).flatten()).to(self.dtype)
            return Share(hidden, flat.sum(-1, keepdim=True), flat.square().sum(-1, keepdim=True))

    def at(self, step: Tensor) -> Moments:
        """One step ``()`` for all rows."""
        return self._moments(step, step.new_ones(1, 1), step[None])

    def among(self, step: Tensor, steps: Tensor) -> Moments:
        """For each row its step ``(...)``, of all the steps 0 .. T ``(T + 1,)``."""
        return self._moments(step, step.flatten()[:, None] == steps, steps)

    def _moments(self, step: Tensor, choice: Tensor, steps: Tensor) -> Moments:
        with torch.autocast(step.device.type, enabled=False):
            time = self._time(steps)
            sums = time.sum(-1, keepdim=True), time.square().sum(-1, keepdim=True)
            return Moments(step, choice.to(time.dtype), linear(time, self._time_weight), *sums)

    def __call__(self, noisy: Tensor, moments: Moments, share: Share) -> Tensor:
        """``(..., D)`` float32 prediction from ``x_t`` ``(..., D)`` and what steps and conditions contribute."""
        flat, choice = noisy.flatten(0, -2), moments.choice
        with torch.autocast(noisy.device.type, enabled=False):
            hidden = share.hidden + self._noisy(flat.to(self.dtype))
            if self._input_norm is None:
                columns = torch.cat([choice, torch.ones_like(choice[:, :1])], dim=1)
                rows = torch.cat([moments.hidden, self._bias[None]])
                hidden = torch.addmm(hidden, columns.expand(len(flat), -1).to(self.dtype), rows.to(self.dtype))
            else:
                width = 3 * flat.shape[1]
                mean = (flat.sum(-1, keepdim=True) + choice @ moments.total + share.total) / width
                squares = flat.square().sum(-1, keepdim=True) + choice @ moments.squares + share.squares
                scale = ((squares / width - mean.square()).clamp(min=0) + self._input_norm.eps).rsqrt()
                # (hidden + time - mean row_sums) scale + bias: but for the first, a product of two thin matrices
                columns = torch.cat([scale * choice, -mean * scale, torch.ones_like(scale)], dim=1)
                rows = torch.cat([moments.hidden, self._row_sums[None], self._bias[None]])
                shift = columns.to(self.dtype) @ rows.to(self.dtype)
                hidden = torch.addcmul(shift, hidden, scale.to(self.dtype))
            hidden = self._activation(hidden)
            if isinstance(self._hidden_norm, nn.LayerNorm):
                hidden = layer_norm(hidden, hidden.shape[-1:], eps=self._hidden_norm.eps)
            output = self._last(hidden).float()
            return self._output_norm(output).view_as(noisy)  # type: ignore[no-any-return]


def _after_norm(layer: nn.Module, norm: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that takes over the gains and offsets of a norm before it."""
    assert isinstance(layer, nn.Linear)
    if not isinstance(norm, nn.LayerNorm):
        return layer.weight, layer.bias
    return layer.weight * norm.weight, linear(norm.bias, layer.weight, layer.bias)
