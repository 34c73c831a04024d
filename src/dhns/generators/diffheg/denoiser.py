"""The conditional denoiser of Eq. 10."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.ranges import LARGEST, Count, Positive


def time_embedding(step: Tensor, width: int, base: float, endpoint: bool) -> Tensor:
    """Sinusoidal ``PE(t)`` of steps ``(...)``: ``(..., width)``, sines then cosines.

    Args:
        step: diffusion steps.
        width: even length of the embedding.
        base: 1000 in the paper, 10000 in its code.
        endpoint: divide the exponents by ``width / 2 - 1``, as the code does, instead of ``width / 2``.
    """
    half = width // 2
    exponent = torch.arange(half, device=step.device) / max(1, half - int(endpoint))
    angle = step[..., None].float() * torch.exp(-math.log(base) * exponent)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Denoiser(nn.Module):
    """An MLP on noisy embedding, time and condition.

    `forward` is its definition; training and chains compute the same function by `folded_denoiser.FoldedDenoiser`.

    Args:
        width: D, of embeddings and conditions; even.
        views: number of views whose identity may be embedded.
        hidden_factor: hidden width as a multiple of D.
        input_norm, hidden_norm, output_norm: layer normalisations; the paper has the last, its code the first two.
        output_layers: trailing linear layers; the DHNS code has two in a row.
        time_base: see `time_embedding`.
        time_mlp: pass ``PE(t)`` through Linear-GELU-Linear, as the DHNS code does.
        identity: tell the denoiser which view and side it denoises; neither paper nor code do.
        activation: ``relu`` (paper, code) or ``silu``.
    """

    def __init__(
        self,
        width: int,
        views: int,
        hidden_factor: Positive = 4.0,
        input_norm: bool = False,
        hidden_norm: bool = False,
        output_norm: bool = True,
        output_layers: Count = 1,
        time_base: Positive = 1000.0,
        time_mlp: bool = False,
        identity: bool = False,
        activation: Literal["relu", "silu"] = "relu",
    ) -> None:
        super().__init__()
        if width % 2:
            raise InputError(f"entity vectors of odd width {width} have no time embedding; make scorer.dim even")
        if input_norm and identity:
            raise InputError("a denoiser with input_norm has no place for an identity; set one of the two to false")
        hidden = int(hidden_factor * width)
        if not 1 <= hidden <= LARGEST:
            raise InputError(f"a denoiser of hidden_factor {hidden_factor:g} has no width of hidden layers; use 1 to 4")
        self.width, self.time_base, self.time_endpoint = width, time_base, time_mlp
        self.time_mlp = (
            nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)) if time_mlp else nn.Identity()
        )
        self.input_norm = nn.LayerNorm(3 * width) if input_norm else None
        self.input = nn.Linear(3 * width, hidden)
        self.identity = nn.Embedding(2 * views, hidden) if identity else None
        norm = nn.LayerNorm(hidden) if hidden_norm else nn.Identity()
        layers = [nn.Linear(hidden, width), *(nn.Linear(width, width) for _ in range(output_layers - 1))]
        self.output = nn.Sequential(
            nn.ReLU() if activation == "relu" else nn.SiLU(),
            norm,
            *layers,
            nn.LayerNorm(width) if output_norm else nn.Identity(),
        )

    def time(self, step: Tensor) -> Tensor:
        """``(..., D)`` what the first layer sees of steps ``(...)``."""
        embedded: Tensor = self.time_mlp(time_embedding(step, self.width, self.time_base, self.time_endpoint))
        return embedded

    def forward(self, noisy: Tensor, step: Tensor, condition: Tensor, identity: Tensor) -> Tensor:
        """The prediction of Eq. 10.

        Args:
            noisy: ``(..., D)`` x_t.
            step: t, broadcasts to ``(...)``.
            condition: ``(..., D)``.
            identity: int64, ``2 * view + side``, broadcasts to ``(...)``; used only by a denoiser with ``identity``.

        Returns:
            ``(..., D)``.
        """
        joined = torch.cat([noisy, self.time(step).expand_as(noisy), condition], dim=-1)
        hidden = self.input(joined if self.input_norm is None else self.input_norm(joined))
        if self.identity is not None:
            hidden = hidden + self.identity(identity)
        output: Tensor = self.output(hidden)
        return output
