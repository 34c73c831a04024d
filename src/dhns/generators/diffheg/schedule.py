"""Noise schedules and the closed forms of diffusion (Ho et al., NeurIPS 2020; Song et al., ICLR 2021).

The paper calls the variance alpha and its complement beta; here beta is the variance and alpha_bar the cumulative
product of ``1 - beta``, as everywhere else. Eqs. 4-6 of the paper print ``beta_t`` in the numerator of the denoising
coefficient and add the variance times noise; both are misprints of the DDPM step that its code takes, and so do we.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from dhns.ranges import Count

Kind = Literal["linear", "linear_scaled", "cosine"]


def variances(kind: Kind, steps: int) -> Tensor:
    """``(steps,)`` float64 variances beta_1 .. beta_T.

    ``linear`` runs from 1e-4 to 0.02 whatever T is, as in the DHNS code: at T = 50 it keeps 78 % of the signal.
    ``linear_scaled`` stretches it by 1000 / T so that any T ends in noise. ``cosine`` is Nichol & Dhariwal's (2021).
    """
    if kind == "linear":
        return torch.linspace(1e-4, 0.02, steps, dtype=torch.float64)
    if kind == "linear_scaled":
        return (torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)).clamp(max=0.999)
    if kind == "cosine":
        time = torch.arange(steps + 1, dtype=torch.float64) / steps
        signal = ((time + 0.008) / 1.008 * math.pi / 2).cos().square()
        return (1 - signal[1:] / signal[:-1]).clamp(max=0.999)
    raise ValueError(f"schedule kind '{kind}' is unknown; use linear, linear_scaled or cosine")


class NoiseSchedule(nn.Module):
    """Signal and noise at each diffusion step t = 0 .. T; step 0 is the clean embedding.

    Args:
        kind: see `variances`.
        steps: T.

    Attributes:
        alpha_bars: ``(T + 1,)`` share of the variance that is signal.
    """

    alpha_bars: Tensor

    def __init__(self, kind: Kind = "cosine", steps: Count = 50) -> None:
        super().__init__()
        self.steps = steps
        alpha_bars = torch.cat([torch.ones(1, dtype=torch.float64), (1 - variances(kind, steps)).cumprod(0)])
        self.register_buffer("alpha_bars", alpha_bars.float(), persistent=False)

    def alpha_bar(self, step: Tensor) -> Tensor:
        """``alpha_bar_t`` of steps ``(...)``."""
        # alpha_bars[step] would read a single step back from a GPU, and wait for it
        return self.alpha_bars.index_select(0, step.flatten()).view(step.shape)

    def signal(self, step: Tensor) -> Tensor:
        """``sqrt(alpha_bar_t)``, shaped to multiply ``(..., D)``."""
        return self.alpha_bar(step).sqrt()[..., None]

    def noise(self, step: Tensor) -> Tensor:
        """``sqrt(1 - alpha_bar_t)``, shaped to multiply ``(..., D)``."""
        return (1 - self.alpha_bar(step)).sqrt()[..., None]

    def add_noise(self, clean: Tensor, step: Tensor, epsilon: Tensor) -> Tensor:
        """``x_t`` of Eq. 2 from ``x_0`` ``(..., D)``, steps ``(...)`` and noise ``(..., D)``."""
        return self.signal(step) * clean + self.noise(step) * epsilon

    def clean(self, noisy: Tensor, step: Tensor, epsilon: Tensor) -> Tensor:
        """``x_0`` from ``x_t`` and the noise in it: Eq. 2 solved."""
        return (noisy - self.noise(step) * epsilon) / self.signal(step)

    def reverse(
        self, noisy: Tensor, step: Tensor, target: Tensor, clean: Tensor, epsilon: Tensor, fresh: Tensor, eta: float
    ) -> Tensor:
        """``x_s`` from ``x_t`` for any s < t (DDIM, Eq. 12 of Song et al.).

        Args:
            noisy: ``(..., D)`` x_t.
            step: ``(...)`` t.
            target: ``(...)`` s.
            clean: ``(..., D)`` the predicted x_0.
            epsilon: ``(..., D)`` the predicted noise.
            fresh: ``(..., D)`` standard normal noise.
            eta: 0 is deterministic, 1 the DDPM posterior; with s = t - 1 it is the ancestral step of DDPM.
        """
        now, then = self.alpha_bar(step), self.alpha_bar(target)
        variance = eta**2 * (1 - then) / (1 - now) * (1 - now / then)
        direction = (1 - then - variance).clamp(min=0).sqrt()
        return then.sqrt()[..., None] * clean + direction[..., None] * epsilon + variance.sqrt()[..., None] * fresh

    def ancestral(self, noisy: Tensor, step: Tensor, epsilon: Tensor, fresh: Tensor) -> Tensor:
        """``x_{t-1}`` from ``x_t`` by Eqs. 5-6: the DDPM step with variance beta_t, without noise at t = 1."""
        alpha = self.alpha_bar(step) / self.alpha_bar(step - 1)
        beta = 1 - alpha
        mean = (noisy - beta[..., None] / self.noise(step) * epsilon) / alpha.sqrt()[..., None]
        return mean + torch.where(step > 1, beta, 0).sqrt()[..., None] * fresh
