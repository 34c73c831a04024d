"""Structure, its projection and a multimodal view, aligned and hardened against noise: the encoder of MMKRL."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from dhns.encoders.encoder import STRUCTURE, Absent, Encoded, WhenMissing
from dhns.encoders.feature_views import FeatureEncoder, FeatureViews, sum_of_present
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.ranges import NotNegative
from dhns.scorers.scorer import Scorer


class AlignedViews(FeatureEncoder):
    """MMKRL (Lu et al., Applied Intelligence 2022): s, ``p = M s + b`` and ``m = W [f_1; ...; f_k] + c``, side by side.

    The score is the mean of the energies (p, p), (m, m), (m, s), (s, m). While training, `Encoded.loss` aligns what
    describes the same entity, ``alignment * (MSE(s, p) + MSE(p, m))``, and p and m carry adversarial noise, one vector
    per entity for both, in the ball of ``radius``: it ascends the loss that the model descends.

    Departures from MMKRL as the AdaMF code has it:

    - Noise and model learn in one backward pass, not in alternating steps with a generator of noise: noise is a
      parameter whose gradient is reversed, and that is pulled back into the ball before each use (projected gradient
      ascent). Undisturbed views are not scored beside it.
    - M has no biases per role. Those of heads and tails would leave their difference alone, a translation that all
      relations share in the energy (p, p). Nor are relations projected: they enter the energies as ``M r + b`` only,
      which is as free a vector as r is here.
    - p itself, not another projection of s, is aligned with m; M starts at the identity, so that p and s agree first.
    - The multimodal view of an entity without features is its structural view, without alignment.

    Args:
        graph: brings the features.
        scorer: fixes the width D of a view and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        absent: what stands for features that an entity lacks; see `Absent`.
        alignment: weight of the alignment.
        radius: Euclidean length of the noise at most, in the units of a view; 0 trains without noise.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        absent: Absent = "mask",
        alignment: NotNegative = 1.0,
        radius: NotNegative = 0.1,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing)
        self.alignment, self.radius = alignment, radius
        self.projection = nn.Linear(self.width, self.width)
        nn.init.eye_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        self.features = FeatureViews(graph, self.modality_names, self.width, absent)
        self.noise = nn.Parameter(torch.zeros(self.num_entities, self.width)) if radius else None

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        views, present = self.with_structure(self.features, entity)
        joint = self.fuse(views, present)
        if not self.training:
            return Encoded(joint, views, present)
        _, projected, multimodal = joint.chunk(3, dim=-1)
        misfit = (views[STRUCTURE] - projected).square().mean() + _mean_of(
            (projected - multimodal).square().mean(-1),
            torch.stack([present[name] for name in self.modality_names]).any(0),
        )
        if self.noise is not None:
            noise = self._ascending_noise(self.noise, entity)
            joint = joint + torch.cat([torch.zeros_like(noise), noise, noise], dim=-1)
        return Encoded(joint, views, present, self.alignment * misfit)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        structure = views[STRUCTURE]
        multimodal = sum_of_present(self.modality_names, views, present, structure)
        return torch.cat([structure, self.projection(structure), multimodal], dim=-1)

    def _ascending_noise(self, noise: Tensor, entity: Tensor | None) -> Tensor:
        """``(U, D)`` noise of the entities ``(U,)`` or of all, whose gradient is that of the loss, reversed."""
        rows = torch.arange(len(noise), device=noise.device) if entity is None else entity
        drawn = embedding(rows, noise, max_norm=self.radius)
        return 2 * drawn.detach() - drawn


def _mean_of(value: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values ``(U,)`` where ``mask`` ``(U,)`` is true; 0 if it is nowhere."""
    return (value * mask).sum() / mask.sum().clamp(min=1)
