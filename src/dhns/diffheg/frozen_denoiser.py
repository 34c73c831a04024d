"""The denoiser as a chain uses it: many steps without gradients, under conditions that stay."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, linear

from dhns.diffheg.denoiser import Denoiser


class Share(NamedTuple):
    """What N conditions contribute to every step of their chains.

    Attributes:
        hidden: ``(N, H)`` to the first layer.
        total, squares: ``(N, 1)`` to the sums that an input norm takes over noisy embedding, time and condition.
    """

    hidden: Tensor
    total: Tensor
    squares: Tensor


class Moment(NamedTuple):
    """What a diffusion step contributes to all chains that take it.

    Attributes:
        step: ``()`` t.
        hidden: ``(H,)`` to the first layer.
        total, squares: ``()`` to the sums of an input norm.
    """

    step: Tensor
    hidden: Tensor
    total: Tensor
    squares: Tensor


class FrozenDenoiser:
    """`Denoiser.forward` with all that is constant along a chain computed once, and no tensor wider than its input.

    - The first layer is split by input. Under an input norm with mean m, deviation s, gains g and offsets o,
      ``W (g (z - m) / s + o) + b = ((W g) z - m (W g) 1) / s + W o + b``, which is split the same way.
    - The gains and offsets of the hidden norm, and trailing linear layers, are one linear layer.

    Weights are rounded once to autocast's type where autocast is on.

    Args:
        denoiser: whose weights must not change while this is used.

    Attributes:
        hidden_width: H.
        dtype: of the matrix products.
    """

    @torch.no_grad()
    def __init__(self, denoiser: Denoiser) -> None:
        self._time, self._identity, self._input_norm = denoiser.time, denoiser.identity, denoiser.input_norm
        self._activation, self._hidden_norm, first, *others, self._output_norm = denoiser.output
        device = denoiser.input.weight.device.type
        self.hidden_width = denoiser.input.out_features
        self.dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else torch.float32
        with torch.autocast(device, enabled=False):
            weight, self._bias = _after_norm(denoiser.input, denoiser.input_norm)
            self._row_sums = weight.sum(1)
            noisy, self._time_weight, condition = weight.chunk(3, dim=1)
            self._noisy, self._condition = noisy.to(self.dtype), condition.to(self.dtype)
            output, offset = _after_norm(first, self._hidden_norm)
            for layer in others:
                assert isinstance(layer, nn.Linear)
                output, offset = layer.weight @ output, layer(offset)
            self._output, self._offset = output.to(self.dtype), offset.to(self.dtype)

    @torch.no_grad()
    def share(self, condition: Tensor, identity: Tensor) -> Share:
        """What conditions ``(..., D)`` contribute; ``identity`` ``(...)`` as `Denoiser.forward` takes it."""
        flat = condition.flatten(0, -2)
        hidden = linear(flat.to(self.dtype), self._condition)
        if self._identity is not None:
            hidden = hidden + self._identity(identity.expand(condition.shape[:-1]).flatten()).to(self.dtype)
        return Share(hidden, flat.sum(-1, keepdim=True), flat.square().sum(-1, keepdim=True))

    @torch.no_grad()
    def at(self, step: Tensor) -> Moment:
        """What step ``()`` contributes."""
        with torch.autocast(step.device.type, enabled=False):
            time = self._time(step)
            return Moment(step, self._time_weight @ time, time.sum(), time.square().sum())

    @torch.no_grad()
    def __call__(self, noisy: Tensor, moment: Moment, share: Share) -> Tensor:
        """``(..., D)`` float32 prediction from ``x_t`` ``(..., D)``, the same t for all, and what the rest contributes."""
        flat = noisy.flatten(0, -2)
        with torch.autocast(noisy.device.type, enabled=False):
            hidden = torch.addmm(share.hidden, flat.to(self.dtype), self._noisy.T)
            if self._input_norm is None:
                hidden = hidden.add_((moment.hidden + self._bias).to(self.dtype))
            else:
                width = 3 * flat.shape[1]
                mean = (flat.sum(-1, keepdim=True) + moment.total + share.total) / width
                squares = (flat.square().sum(-1, keepdim=True) + moment.squares + share.squares) / width
                scale = (squares - mean.square()).clamp_(min=0).add_(self._input_norm.eps).rsqrt_()
                # (hidden + at_time - mean row_sums) scale + bias: but for the first, a product of two thin matrices
                columns = torch.cat([scale, -mean * scale, torch.ones_like(scale)], dim=1).to(self.dtype)
                rows = torch.stack([moment.hidden, self._row_sums, self._bias]).to(self.dtype)
                hidden = hidden.mul_(scale.to(self.dtype)).addmm_(columns, rows)
            hidden = self._activation(hidden)
            if isinstance(self._hidden_norm, nn.LayerNorm):
                hidden = layer_norm(hidden, hidden.shape[-1:], eps=self._hidden_norm.eps)
            output = linear(hidden, self._output, self._offset).float()
            return self._output_norm(output).view_as(noisy)  # type: ignore[no-any-return]


def _after_norm(layer: nn.Module, norm: nn.Module | None) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer that takes over the gains and offsets of a norm before it."""
    assert isinstance(layer, nn.Linear)
    if not isinstance(norm, nn.LayerNorm):
        return layer.weight, layer.bias
    return layer.weight * norm.weight, linear(norm.bias, layer.weight, layer.bias)
