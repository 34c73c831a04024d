"""Additive fusion: structure plus projected features, structure closed for entities that training never names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import STRUCTURE, Absent, Encoded, WhenMissing
from dhns.encoders.feature_views import FeatureEncoder, FeatureViews, sum_of_present
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.ranges import Positive
from dhns.scorers.scorer import Scorer


class AdditiveFusion(FeatureEncoder):
    """``g_e s_e + sum_m (W_m f_m + b_m)`` over the modalities m that the entity has.

    The gate ``g_e`` is 0 for an entity that no training triple names, else 1: such a structural vector is noise, or
    what being everyone's negative made of it. Projections start at zero, so that structure is what it would be alone
    until they have something to add; attention over views scales structure from the first step on.

    Args:
        graph: brings the features and the training triples.
        scorer: fixes the width and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        absent: what stands for features that an entity lacks; see `Absent`.
        length: of features, see `FeatureViews`: how much quicker they are learned from than structure.
        gate: false lets the structure of all entities in.

    Raises:
        InputError: there is no modality to use; see also `choose_modalities`.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        absent: Absent = "mask",
        length: Positive = 10.0,
        gate: bool = True,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing)
        self.features = FeatureViews(graph, self.modality_names, self.width, absent, length)
        self.gate = SeenEntities(graph) if gate else None
        if self.gate is not None:
            with torch.no_grad():
                self.structure.copy_(self.gate(self.structure))

    def structural_view(self, entity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rows, present = super().structural_view(entity)
        return rows if self.gate is None else self.gate(rows, entity), present

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        views, present = self.with_structure(self.features, entity)
        return Encoded(self.fuse(views, present), views, present)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        structure = views[STRUCTURE]
        return structure + sum_of_present(self.modality_names, views, present, torch.zeros_like(structure))


class SeenEntities(nn.Module):
    """Lets vectors of entities through that training triples name; zeros, without gradient, stand for others.

    Args:
        graph: brings the training triples.
    """

    seen: Tensor

    def __init__(self, graph: KnowledgeGraph) -> None:
        super().__init__()
        seen = torch.zeros(graph.num_entities, dtype=torch.bool)
        seen[graph.train[:, [0, 2]].flatten()] = True
        self.register_buffer("seen", seen, persistent=False)

    def forward(self, rows: Tensor, entity: Tensor | None = None) -> Tensor:
        """Vectors ``(U, D)`` of entities ``(U,)``, or of all."""
        return rows.masked_fill(~(self.seen if entity is None else self.seen[entity])[:, None], 0)
