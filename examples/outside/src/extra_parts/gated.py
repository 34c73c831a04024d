"""Structure plus features, as far as a gate per coordinate lets them in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder, FeatureTable, WhenMissing, choose_modalities
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.ranges import NotNegative
from dhns.scorers.scorer import Scorer


class GatedFusion(EntityEncoder):
    """``s + sum_m sigmoid(g_m) * W_m f_m`` over the modalities that an entity has, with a gate per coordinate.

    Args:
        graph: brings the features.
        scorer: fixes the width and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        sparsity: weight of the mean gate in the loss; 0 leaves gates alone.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        sparsity: NotNegative = 0.0,
    ) -> None:
        super().__init__(graph, scorer)
        names, self.missing = choose_modalities(graph, modalities, when_missing)
        self.view_names = (STRUCTURE, *names)
        self.sparsity = sparsity
        self.features = nn.ModuleDict({name: FeatureTable(graph.modalities[name]) for name in names})
        self.projections = nn.ModuleDict({name: nn.Linear(graph.modalities[name].dim, self.width) for name in names})
        self.gates = nn.ParameterDict({name: nn.Parameter(torch.zeros(self.width)) for name in names})

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        structure, everywhere = self.structural_view(entity)
        views, present = {STRUCTURE: structure}, {STRUCTURE: everywhere}
        for name, project in self.projections.items():
            features, present[name] = self.features[name](entity)
            views[name] = project(features)
        return Encoded(self.fuse(views, present), views, present, self._loss())

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        joint = views[STRUCTURE]
        for name, gate in self.gates.items():
            if name in views:  # a generator may make fewer
                joint = joint + gate.sigmoid() * views[name].masked_fill(~present[name][..., None], 0)
        return joint

    def _loss(self) -> Tensor | None:
        if not (self.training and self.sparsity and len(self.gates)):
            return None
        return self.sparsity * torch.cat([gate.sigmoid() for gate in self.gates.values()]).mean()
