"""The control that the paper lacks: noise of the right length instead of diffusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.encoders.encoder import EntityEncoder
from dhns.generators.generator import NegativeGenerator
from dhns.generators.levels import HardnessLevel
from dhns.models.batch import EmbeddedPositives
from dhns.ranges import Count
from dhns.scorers.scorer import Scorer


class GaussianNegatives(NegativeGenerator):
    """Random directions with the norm of the true entity, at every level and in every view.

    What DHNS gains above this control is due to diffusion; what it gains above no generator at all may be due to extra
    negatives of the right size, whatever they are.

    Args:
        encoder, scorer: ignored but for the names of the views; the signature is that of every generator.
        levels: as many negatives per positive, view and side, trained with their weights and margins.
        rows: see `NegativeGenerator`.
    """

    def __init__(
        self, encoder: EntityEncoder, scorer: Scorer, levels: Sequence[HardnessLevel], rows: Count | None = None
    ) -> None:
        super().__init__()
        self.view_names = encoder.view_names
        self.levels = tuple(levels)
        self.rows = rows

    def loss(self, positives: EmbeddedPositives, rng: torch.Generator) -> None:
        return None

    def sample(self, positives: EmbeddedPositives, rng: torch.Generator) -> Tensor:
        true = positives.replaced(self.view_names)
        shape = (len(self.view_names), len(self.levels), *true.shape[1:])
        direction = normalize(torch.randn(shape, generator=rng, device=true.device), dim=-1)
        noise: Tensor = direction * true.norm(dim=-1, keepdim=True)[:, None]
        return noise
