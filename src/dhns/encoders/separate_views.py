"""Views side by side, each with vectors of its own, for a scorer of its own: the encoder of late fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.additive_fusion import SeenEntities
from dhns.encoders.encoder import STRUCTURE, Absent, Encoded, WhenMissing, uniform_parameter
from dhns.encoders.feature_views import FeatureEncoder, FeatureViews
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.ranges import Positive
from dhns.scorers.scorer import Scorer


class SeparateViews(FeatureEncoder):
    """Structure, and for each modality m a view ``v_e + W_m f_m + b_m``, side by side for `LateFusion`.

    Nothing of a view enters another: what features cannot say does not disturb structure. The view's own vector ``v_e``
    says what its features do not. It is 0 for entities that no training triple names, as in `AdditiveFusion`. In the
    place of a view that an entity lacks stand zeros.

    Args:
        graph: brings the features and the training triples.
        scorer: fixes the width D of a view and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        absent: what stands for features that an entity lacks; see `Absent`.
        length: of features, see `FeatureViews`: how much quicker they are learned from than vectors.
        own_vectors: false makes views of features alone.
        init_range: half-width of the initialisation of own vectors; the scorer's when null.

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
        own_vectors: bool = True,
        init_range: Positive | None = None,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing)
        self.features = FeatureViews(graph, self.modality_names, self.width, absent, length)
        self.gate = SeenEntities(graph)
        half_width = scorer.init_range if init_range is None else init_range
        count = self.num_entities
        self.own = nn.ParameterDict(
            {name: uniform_parameter(count, self.width, half_width) for name in self.modality_names if own_vectors}
        )

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        views, present = self.with_structure(self.features, entity)
        for name, own in self.own.items():
            views[name] = views[name] + self.gate(own if entity is None else own[entity], entity)
        return Encoded(self.fuse(views, present), views, present)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        others = [views[name].masked_fill(~present[name][..., None], 0) for name in self.modality_names]
        return torch.cat([views[STRUCTURE], *others], dim=-1)
