"""Modality adversarial training (MAT), the generator of AdaMF-MAT (Zhang et al., LREC-COLING 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dhns.encoders.encoder import STRUCTURE, EntityEncoder
from dhns.errors import InputError
from dhns.generators.generator import GeneratedNegatives, NegativeGenerator
from dhns.generators.hardness_adaptive import HardnessAdaptiveLoss
from dhns.generators.levels import HardnessLevel
from dhns.models.batch import EmbeddedPositives
from dhns.ranges import Count
from dhns.scorers.scorer import Scorer


class ModalityAdversary(NegativeGenerator):
    """Fakes of the positive's own entities: the true structural view, beside views that an MLP makes from it and noise.

    Head, tail and both are replaced by their fakes: ``(h*, r, t)``, ``(h, r, t*)``, ``(h*, r, t*)``. The model learns
    to score these three as negatives, which takes a loss with ``joint_scoring=fused`` and ``corrupt_both=true``; the
    generator learns ``-log s(score)`` of the same three, to pass them off as true.

    Every entity gets fakes of all views, also of those that it lacks: MAT is to enrich scarce modalities, and to the
    authors' code no view is ever missing. (A fake with the gaps of its entity would be a true triple where an entity
    has nothing but gaps.)

    Departures from the authors' code: structural views in fakes are constants, as everything else that a generator
    makes; there the model's step reaches them too. A step of the generator comes before that of the model, not after.
    The code sums over the three kinds, and `HardnessAdaptiveLoss` averages: their weight mu is a third of ours. The
    published scripts have mu = 0, which trains without fakes.

    Args:
        encoder: names the views, and fuses real and fake ones.
        scorer: scores fakes, for the generator's own loss.
        levels: independent fakes per positive and side, one each; with a margin of 1 if it is to be as in the paper.
        noise_width: length of the noise.
        hidden_width: of the MLP; each view but the structural one has an MLP of its own.
        rows: see `NegativeGenerator`.

    Raises:
        InputError: the encoder has the structural view only.
    """

    def __init__(
        self,
        encoder: EntityEncoder,
        scorer: Scorer,
        levels: Sequence[HardnessLevel],
        noise_width: Count = 64,
        hidden_width: Count = 512,
        rows: Count | None = None,
    ) -> None:
        super().__init__()
        if encoder.view_names == (STRUCTURE,):
            raise InputError(
                "generator=adversarial fakes modalities, and there is the structural view only: choose an encoder with "
                "modalities such as encoder=attention_fusion, a graph that has some, or another generator"
            )
        self.view_names = encoder.view_names
        self.levels = tuple(levels)
        self.noise_width = noise_width
        self.rows = rows
        self.networks = nn.ModuleDict(
            {
                name: nn.Sequential(
                    nn.Linear(noise_width + encoder.width, hidden_width),
                    nn.LeakyReLU(),
                    nn.Linear(hidden_width, encoder.width),
                )
                for name in self.view_names[1:]
            }
        )
        # bound, not held as submodules: they belong to the model and its optimizer
        scored_as_by_the_model = HardnessAdaptiveLoss("fused", corrupt_both=True)
        self._score = partial(scored_as_by_the_model.score, encoder=encoder, scorer=scorer)

    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        """``-log s(score)`` of fake triples, averaged over their kinds, levels and positives."""
        positives = positives.first(self.rows).detach()
        fakes = self._fakes(positives, self.sample(positives, rng))
        return softplus(-self._score(fakes).score).mean()

    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        structure = positives.replaced((STRUCTURE,)).detach().expand(len(self.levels), -1, -1, -1)
        shape = (*structure.shape[:-1], self.noise_width)
        views = [structure]
        for network in self.networks.values():
            noise = torch.randn(shape, generator=rng, device=structure.device)
            views.append(network(torch.cat([noise, structure], dim=-1)))
        return torch.stack(views)

    def generate(self, positives: EmbeddedPositives, rng: torch.Generator) -> GeneratedNegatives:
        positives = positives.first(self.rows)
        with torch.no_grad():
            return self._fakes(positives, self.sample(positives, rng))

    def _fakes(self, positives: EmbeddedPositives, samples: Tensor) -> GeneratedNegatives:
        """Samples ``(V, L, 2, B, D)`` as negatives, all of whose views are there."""
        everywhere = torch.ones_like(positives.head.present[STRUCTURE])
        views = dict(zip(self.view_names, samples, strict=True))
        return GeneratedNegatives(positives, views, dict.fromkeys(self.view_names, everywhere))
