"""DiffHEG: the conditional diffusion model that generates negative entity embeddings (Section 3.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from dhns.encoders.encoder import EntityEncoder
from dhns.generators.diffheg.chain import Chain, ReverseChain
from dhns.generators.diffheg.conditioning import Conditioning
from dhns.generators.diffheg.denoiser import Denoiser
from dhns.generators.diffheg.folded_denoiser import FoldedDenoiser
from dhns.generators.diffheg.objective import Objective
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.generators.diffheg.standardizer import RunningStandardizer
from dhns.generators.generator import NegativeGenerator
from dhns.generators.levels import HardnessLevel
from dhns.kernels.fusion import fusible
from dhns.models.batch import EmbeddedPositives
from dhns.ranges import Count
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
        conditioning: which views have chains, and what these are told (MMC).
        objective: what the denoiser learns (Eq. 11).
        chain: how noise becomes negatives (Eqs. 5-6).
        standardize: work on embeddings of unit variance; see `RunningStandardizer`.
        rows: see `NegativeGenerator`.
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
        conditioning: Conditioning | None = None,
        objective: Objective | None = None,
        chain: Chain | None = None,
        standardize: bool = False,
        rows: Count | None = None,
    ) -> None:
        super().__init__()
        self.conditioning, self.objective = conditioning or Conditioning(), objective or Objective()
        self.schedule, self.chain = schedule, chain or Chain()
        self.view_names, self.rows = self.conditioning.views(encoder), rows
        self.detach_inputs = self.objective.detach_inputs
        self.levels = tuple(levels) * self.chain.copies
        self._taps = [level.step(schedule.steps) for level in levels]
        self._times = self.chain.times(schedule.steps, self._taps)
        # the scorer belongs to the model and its optimizer: kept out of this module's parameters
        self._scorer = (scorer,)
        views, width = len(self.view_names), encoder.width
        self.denoiser = denoiser(width=width, views=views)
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
        drawn = 1 if self.objective.shared_noise else sides
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
        return self.objective.error(predicted, self.objective.target(self.schedule, clean, noise, step))

    @torch.no_grad()
    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        condition = self.conditioning.given(self.conditions.standardize(self.condition(positives)), rng)
        chain = ReverseChain(
            self.chain,
            self.objective,
            self.schedule,
            FoldedDenoiser(self.denoiser, self.chain.int8),
            self._identity,
            self._steps,
            self._times,
            self._taps,
        )
        places = {step: place for place, step in enumerate(sorted(set(self._taps), reverse=True))}
        # each state goes to its place at once: all of them together are the largest tensor of a step
        tapped = condition.new_empty(len(condition), len(self.levels), *condition.shape[1:])
        for taps in torch.split(tapped, len(self._taps), dim=1):
            rows = self._rows_at_once
            for part, found in zip(torch.split(condition, rows, dim=2), torch.split(taps, rows, dim=3), strict=True):
                shape = chain.noise_like(part)
                noise = (torch.randn(shape, generator=rng, device=part.device) for _ in range(chain.draws))
                states = chain(part, noise)
                for level, step in enumerate(self._taps):
                    found[:, level] = states[places[step]]
        return self.latents.restore(tapped)
