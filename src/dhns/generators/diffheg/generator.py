"""DiffHEG: the conditional diffusion model that generates negative entity embeddings (Section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import l1_loss, mse_loss
from torch.utils.checkpoint import checkpoint

from dhns.encoders.encoder import STRUCTURE, EntityEncoder
from dhns.errors import InputError
from dhns.generators.diffheg.denoiser import Denoiser
from dhns.generators.diffheg.folded_denoiser import FoldedDenoiser, Moments, Share
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.generators.diffheg.standardizer import RunningStandardizer
from dhns.generators.generator import NegativeGenerator
from dhns.generators.levels import HardnessLevel
from dhns.kernels.fusion import fusible
from dhns.models.batch import EmbeddedPositives
from dhns.ranges import Count, Fraction
from dhns.scorers.scorer import Scorer

CHUNK_ELEMENTS = 2**23
"""Numbers in the hidden layer of the denoiser that are held at once, in a chain and in the loss."""
TILE = 64
"""Matrix products of 1023 rows are a tenth slower than those of 1024: rows at once are a multiple of this."""


class DiffHEG(NegativeGenerator):
    """Denoises noise into entity embeddings under the condition of the rest of the triple, and taps the chain.

    Shapes: V views, 2 sides (0: tails are generated, 1: heads), B positives, D width, L levels, T diffusion steps.
    Views, sides and rows are denoised together in one call per step.

    Args:
        encoder, scorer: whose embeddings are imitated; the scorer supplies the condition of Eqs. 7-9.
        levels: where to tap the chain (MHLD).
        schedule: noise schedule.
        denoiser: makes the denoiser from ``width`` and ``views``.
        multimodal: one condition and one chain per view (MMC); otherwise structure only.
        prediction: the denoiser predicts the ``noise`` (paper, code) or the ``velocity`` (Salimans & Ho, 2022), which
            is well-conditioned at every step.
        loss_kind: ``mse`` (Eq. 11) or ``l1`` (the DHNS code).
        shared_noise: heads and tails share noise and step, as in the DHNS code.
        detach_inputs: the diffusion loss trains only the denoiser (Algorithm 1); false lets it train the model too, as
            the DHNS code does.
        standardize: work on embeddings of unit variance; see `RunningStandardizer`.
        sampling_steps: steps of the chain, strided; all T when null. The chain ends at its lowest tap.
        eta: noise of strided steps; see `NoiseSchedule.reverse`. The full chain takes DDPM steps with variance beta_t.
        head_chain: ``own`` (Algorithm 1) or ``from_tail``: one more step from the tail's state, as the DHNS code does.
        condition_on: ``observed`` entities, or ``shuffled`` ones: the observed entity of another positive, which asks
            for something plausible that is not the answer.
        copies: independent chains per positive, each tapped at every level.
        rows: see `NegativeGenerator`.
        int8: compute the products of the chain in 8-bit integers; see `Int8Linear`.
    """

    _identity: Tensor
    _steps: Tensor

    def __init__(
        self,
        encoder: EntityEncoder,
        scorer: Scorer,
        levels: Sequence[HardnessLevel],
        schedule: NoiseSchedule,
        denoiser: Callable[..., Denoiser],
        multimodal: bool = True,
        prediction: Literal["noise", "velocity"] = "noise",
        loss_kind: Literal["mse", "l1"] = "mse",
        shared_noise: bool = False,
        detach_inputs: bool = True,
        standardize: bool = False,
        sampling_steps: Count | None = None,
        eta: Fraction = 1.0,
        head_chain: Literal["own", "from_tail"] = "own",
        condition_on: Literal["observed", "shuffled"] = "observed",
        copies: Count = 1,
        rows: Count | None = None,
        int8: bool = False,
    ) -> None:
        super().__init__()
        if head_chain == "from_tail" and sampling_steps is not None:
            raise InputError(
                "head_chain=from_tail follows the DHNS code, whose chain has no strides: set sampling_steps=null"
            )
        self.view_names = encoder.view_names if multimodal else (STRUCTURE,)
        self.levels = tuple(levels) * copies
        self.copies = copies
        self.schedule = schedule
        # the scorer belongs to the model and its optimizer: kept out of this module's parameters
        self._scorer = (scorer,)
        views, width = len(self.view_names), encoder.width
        self.denoiser = denoiser(width=width, views=views)
        self.prediction, self.loss_kind, self.shared_noise = prediction, loss_kind, shared_noise
        self.detach_inputs, self.head_chain, self.condition_on = detach_inputs, head_chain, condition_on
        self.sampling_steps, self.eta, self.rows, self.int8 = sampling_steps, eta, rows, int8
        self.latents = RunningStandardizer(views, width, enabled=standardize)
        self.conditions = RunningStandardizer(views, width, enabled=standardize)
        self.register_buffer("_identity", torch.arange(2 * views).view(views, 2, 1), persistent=False)
        # on the device beforehand: a number that is sent there in each step would be waited for
        self.register_buffer("_steps", torch.arange(schedule.steps + 1), persistent=False)

    def condition(self, positives: EmbeddedPositives) -> Tensor:
        """``(V, 2, B, D)`` the condition ``C(x_e, x_r)`` of every view and side."""
        (scorer,) = self._scorer
        observed, relation = positives.observed(self.view_names), positives.asking(scorer).flatten(0, 1)
        as_tails = torch.zeros(len(relation), dtype=torch.bool, device=relation.device)
        return torch.stack(
            [scorer.condition(view.flatten(0, 1), relation, as_tails).view_as(view) for view in observed]
        )

    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        """``L_diff`` (Eq. 11): the error of the predicted noise, summed over views and sides, averaged over rows."""
        positives = positives.first(self.rows)
        if self.detach_inputs:
            positives = positives.detach()
        clean, condition = positives.replaced(self.view_names), self.condition(positives)
        present = positives.present(self.view_names)
        self.latents.update(clean.flatten(1, 2), present.repeat(1, 2))
        self.conditions.update(condition.flatten(1, 2), present.repeat(1, 2))
        clean, condition = self.latents.standardize(clean), self.conditions.standardize(condition)
        views, sides, rows, _ = clean.shape
        drawn = 1 if self.shared_noise else sides
        step = torch.randint(1, self.schedule.steps + 1, (views, drawn, rows), generator=rng, device=clean.device)
        noise = torch.randn(views, drawn, *clean.shape[2:], generator=rng, device=clean.device)
        step, noise = step.expand(views, sides, rows), noise.expand_as(clean)
        error = self._error_in_parts(FoldedDenoiser(self.denoiser), clean, noise, step, condition)
        mask = present[:, None, :].to(error.dtype)
        return ((error * mask).sum(-1) / mask.sum(-1).clamp(min=1)).sum()

    @property
    def _rows_at_once(self) -> int:
        """Positives, in all views and on both sides, whose hidden layer has `CHUNK_ELEMENTS`."""
        rows = max(1, CHUNK_ELEMENTS // (self._identity.numel() * self.denoiser.input.out_features))
        return rows - rows % TILE if rows > TILE else rows

    def _error_in_parts(self, denoiser: FoldedDenoiser, *whole: Tensor) -> Tensor:
        """`_error`; of large batches part by part, which the backward pass computes again."""
        rows = self._rows_at_once
        if whole[0].shape[2] <= rows:
            return self._error(denoiser, *whole)
        parts = zip(*(torch.split(tensor, rows, dim=2) for tensor in whole), strict=True)
        errors = [
            checkpoint(self._error, denoiser, *part, use_reentrant=False, preserve_rng_state=False) for part in parts
        ]
        return torch.cat(errors, dim=2)

    @fusible
    def _error(self, denoiser: FoldedDenoiser, clean: Tensor, noise: Tensor, step: Tensor, condition: Tensor) -> Tensor:
        """``(V, 2, B)`` the mean error of what is predicted from ``clean`` and ``noise`` ``(V, 2, B, D)``."""
        moments, share = denoiser.among(step, self._steps), denoiser.share(condition, self._identity)
        predicted = denoiser(self.schedule.add_noise(clean, step, noise), moments, share)
        error = mse_loss if self.loss_kind == "mse" else l1_loss
        return error(predicted, self._target(clean, noise, step), reduction="none").mean(-1)

    @torch.no_grad()
    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        condition = self.conditions.standardize(self.condition(positives))
        if self.condition_on == "shuffled":
            order = torch.randperm(condition.shape[2], generator=rng, device=condition.device)
            condition = condition[:, :, order]
        steps = [level.step(self.schedule.steps) for level in self.levels[: len(self.levels) // self.copies]]
        denoiser, rows = FoldedDenoiser(self.denoiser, self.int8), self._rows_at_once
        times = chain_times(self.schedule.steps, set(steps), self.sampling_steps)
        moments = {time: denoiser.at(self._steps[time]) for time in times}
        # each state goes to its place at once: all of them together are the largest tensor of a step
        tapped = condition.new_empty(len(condition), len(self.levels), *condition.shape[1:])
        for taps in torch.split(tapped, len(steps), dim=1):
            for part, states in zip(torch.split(condition, rows, dim=2), torch.split(taps, rows, dim=3), strict=True):
                chain = self._chain(denoiser, part, moments, set(steps), rng)
                for level, step in enumerate(steps):
                    states[:, level] = chain[step]
        return self.latents.restore(tapped)

    def _chain(
        self,
        denoiser: FoldedDenoiser,
        condition: Tensor,
        moments: dict[int, Moments],
        taps: set[int],
        rng: torch.Generator,
    ) -> dict[int, Tensor]:
        """States ``(V, 2, B, D)`` at the steps ``taps`` of the reverse chain (Eqs. 5-6) that takes all ``moments``."""
        sides = (condition[:, :1], condition[:, 1:]) if self.head_chain == "from_tail" else (condition,)
        # the chain's own conditions, and those of the heads that branch off from the tails' chain
        shares = [
            denoiser.share(part, self._identity[:, side : side + part.shape[1]]) for side, part in enumerate(sides)
        ]

        def fresh() -> Tensor:
            return torch.randn(sides[0].shape, generator=rng, device=condition.device)

        state = fresh()
        states = {self.schedule.steps: state.expand_as(condition)} if self.schedule.steps in taps else {}
        for now, then in pairwise(moments):
            target = self._steps[then]
            state = self._reverse(denoiser, state, moments[now], target, shares[0], fresh())
            if then not in taps:
                continue
            if self.head_chain == "from_tail":
                head = self._reverse(denoiser, state, moments[now], target, shares[1], fresh())
                states[then] = torch.cat([state, head], dim=1)
            else:
                states[then] = state
        return states

    @fusible
    def _reverse(
        self, denoiser: FoldedDenoiser, state: Tensor, moments: Moments, target: Tensor, share: Share, fresh: Tensor
    ) -> Tensor:
        output, step = denoiser(state, moments, share), moments.step
        if self.prediction == "velocity":
            signal, noise = self.schedule.signal(step), self.schedule.noise(step)
            clean, epsilon = signal * state - noise * output, noise * state + signal * output
            return self.schedule.reverse(state, step, target, clean, epsilon, fresh, self.eta)
        if self.sampling_steps is None:
            return self.schedule.ancestral(state, step, output, fresh)
        clean = self.schedule.clean(state, step, output)
        return self.schedule.reverse(state, step, target, clean, output, fresh, self.eta)

    def _target(self, clean: Tensor, noise: Tensor, step: Tensor) -> Tensor:
        if self.prediction == "noise":
            return noise
        return self.schedule.signal(step) * noise - self.schedule.noise(step) * clean


def chain_times(steps: int, taps: set[int], sampling_steps: int | None) -> list[int]:
    """The diffusion steps that a chain visits, from T down to its lowest tap.

    Every tap is visited; between them ``sampling_steps`` evenly spaced ones, or all of them when null.
    """
    lowest = min(taps)
    if sampling_steps is None:
        return list(range(steps, lowest - 1, -1))
    spaced = torch.linspace(steps, lowest, sampling_steps + 1).round().long().tolist()
    return sorted({*spaced, *taps, steps}, reverse=True)
