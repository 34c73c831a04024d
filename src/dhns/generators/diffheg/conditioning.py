"""What a chain is told of the triple that its entity is to corrupt (MMC, Eqs. 7-9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, EntityEncoder


@dataclass(frozen=True)
class Conditioning:
    """Which views have a condition and a chain, and whose entity the condition is made of.

    Attributes:
        multimodal: one condition and one chain per view (MMC); otherwise structure only.
        on: ``observed`` entities, or ``shuffled`` ones: the observed entity of another positive, which asks for
            something plausible that is not the answer.
    """

    multimodal: bool = True
    on: Literal["observed", "shuffled"] = "observed"

    def views(self, encoder: EntityEncoder) -> tuple[str, ...]:
        """The views that are generated."""
        return encoder.view_names if self.multimodal else (STRUCTURE,)

    def given(self, condition: Tensor, rng: torch.Generator) -> Tensor:
        """``(V, 2, B, D)`` what chains are given, of the conditions of all positives."""
        if self.on == "observed":
            return condition
        return condition[:, :, torch.randperm(condition.shape[2], generator=rng, device=condition.device)]
