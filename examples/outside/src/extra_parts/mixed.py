"""Negatives between true entities, after MixKG (Che et al., 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.encoders.encoder import EntityEncoder
from dhns.generators.generator import NegativeGenerator
from dhns.generators.levels import HardnessLevel
from dhns.models.batch import EmbeddedPositives
from dhns.ranges import Count, NotNegative
from dhns.scorers.scorer import Scorer


class MixedNegatives(NegativeGenerator):
    """The true entity, mixed with that of another positive: the time of a level is the other's share.

    Args:
        encoder, scorer: ignored but for the names of the views.
        levels: times from 0, the true entity, to 1, the other.
        jitter: length of the noise that is added, as a share of the true entity's: the other may be the same entity.
        rows: positives per batch that get negatives; all when null.
    """

    def __init__(
        self,
        encoder: EntityEncoder,
        scorer: Scorer,
        levels: Sequence[HardnessLevel],
        jitter: NotNegative = 0.1,
        rows: Count | None = None,
    ) -> None:
        super().__init__()
        self.view_names = encoder.view_names
        self.levels = tuple(levels)
        self.jitter = jitter
        self.rows = rows

    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> None:
        return None

    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        true = positives.replaced(self.view_names)[:, None]
        other = true[..., torch.randperm(true.shape[-2], generator=rng, device=true.device), :]
        share = true.new_tensor([level.time for level in self.levels])[:, None, None, None]
        mixed = torch.lerp(true, other, share)
        noise = normalize(torch.randn(mixed.shape, generator=rng, device=true.device), dim=-1)
        negatives: Tensor = mixed + self.jitter * true.norm(dim=-1, keepdim=True) * noise
        return negatives
