"""The reverse chain (Eqs. 5-6), as a function of its noise and its condition."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.generators.diffheg.folded_denoiser import FoldedDenoiser, Moments, Share
from dhns.generators.diffheg.objective import Objective
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.kernels.fusion import fusible
from dhns.ranges import Count, Fraction


@dataclass(frozen=True)
class Chain:
    """How noise becomes negatives.

    Attributes:
        sampling_steps: steps of the chain, strided; all T when null. The chain ends at its lowest tap.
        eta: noise of strided steps; see `NoiseSchedule.reverse`. The full chain takes DDPM steps with variance beta_t.
        head_chain: ``own`` (Algorithm 1) or ``from_tail``: one more step from the tail's state, as the DHNS code does.
        copies: independent chains per positive, each tapped at every level.
        int8: compute the products in 8-bit integers; see `Int8Linear`.

    Raises:
        InputError: strides where heads branch off.
    """

    sampling_steps: Count | None = None
    eta: Fraction = 1.0
    head_chain: Literal["own", "from_tail"] = "own"
    copies: Count = 1
    int8: bool = False

    def __post_init__(self) -> None:
        if self.head_chain == "from_tail" and self.sampling_steps is not None:
            raise InputError(
                "head_chain=from_tail follows the DHNS code, whose chain has no strides: set sampling_steps=null"
            )

    def times(self, steps: int, taps: Collection[int]) -> list[int]:
        """The diffusion steps that a chain visits, from T = ``steps`` down to its lowest tap.

        Every tap is visited; between them ``sampling_steps`` evenly spaced ones, or all of them when null.
        """
        lowest = min(taps)
        if self.sampling_steps is None:
            return list(range(steps, lowest - 1, -1))
        spaced = torch.linspace(steps, lowest, self.sampling_steps + 1).round().long().tolist()
        return sorted({*spaced, *taps, steps}, reverse=True)


class Visit(NamedTuple):
    """A step that a chain takes: from where, to where, and whether its state there is tapped."""

    moments: Moments
    target: Tensor
    tapped: bool


class ReverseChain:
    """``chain(condition, noise) -> tapped states``, for one state of the denoiser.

    Args:
        settings: see `Chain`.
        objective: what the denoiser predicts.
        schedule: of the noise.
        denoiser: whose weights do not change while the chain is used.
        identity: ``(V, 2, 1)`` of views and sides, for the denoiser.
        steps: ``(T + 1,)`` 0 .. T, on the device.
        times: the steps to visit, from T on; see `Chain.times`.
        taps: those of them whose states are wanted.
    """

    def __init__(
        self,
        settings: Chain,
        objective: Objective,
        schedule: NoiseSchedule,
        denoiser: FoldedDenoiser,
        identity: Tensor,
        steps: Tensor,
        times: list[int],
        taps: Collection[int],
    ) -> None:
        self._settings, self._objective, self._schedule = settings, objective, schedule
        self._denoiser, self._identity = denoiser, identity
        self._starts_tapped, self._branches = times[0] in taps, settings.head_chain == "from_tail"
        moments = [denoiser.at(steps[time]) for time in times]
        self._visits = [
            Visit(now, then.step, time in taps) for (now, then), time in zip(pairwise(moments), times[1:], strict=True)
        ]

    @property
    def draws(self) -> int:
        """How many tensors of noise a chain takes: its start, and one for each step and each head that branches off."""
        return 1 + len(self._visits) + self._branches * sum(visit.tapped for visit in self._visits)

    def noise_like(self, condition: Tensor) -> torch.Size:
        """The shape of each of them, for conditions ``(V, 2, B, D)``."""
        return condition[:, :1].shape if self._branches else condition.shape

    def __call__(self, condition: Tensor, noise: Iterable[Tensor]) -> list[Tensor]:
        """The states ``(V, 2, B, D)`` at the taps, in the order in which the chain comes to them.

        Args:
            condition: ``(V, 2, B, D)``, standardised.
            noise: `draws` tensors of standard normal numbers, taken one by one, so that they can be drawn where they
                are needed.
        """
        fresh = iter(noise)
        sides = (condition[:, :1], condition[:, 1:]) if self._branches else (condition,)
        # the chain's own conditions, and those of the heads that branch off from the tails' chain
        shares = [
            self._denoiser.share(part, self._identity[:, side : side + part.shape[1]])
            for side, part in enumerate(sides)
        ]
        state = next(fresh)
        states = [state.expand_as(condition)] if self._starts_tapped else []
        for visit in self._visits:
            state = self._step(state, visit, shares[0], next(fresh))
            if not visit.tapped:
                continue
            if self._branches:
                head = self._step(state, visit, shares[1], next(fresh))
                states.append(torch.cat([state, head], dim=1))
            else:
                states.append(state)
        return states

    @fusible
    def _step(self, state: Tensor, visit: Visit, share: Share, fresh: Tensor) -> Tensor:
        schedule, (moments, target, _) = self._schedule, visit
        output, step = self._denoiser(state, moments, share), moments.step
        if self._objective.prediction == "velocity":
            signal, noise = schedule.signal(step), schedule.noise(step)
            clean, epsilon = signal * state - noise * output, noise * state + signal * output
            return schedule.reverse(state, step, target, clean, epsilon, fresh, self._settings.eta)
        if self._settings.sampling_steps is None:
            return schedule.ancestral(state, step, output, fresh)
        clean = schedule.clean(state, step, output)
        return schedule.reverse(state, step, target, clean, output, fresh, self._settings.eta)
