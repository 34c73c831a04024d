"""The multimodal encoder of DHNS: views fused by attention (as in AdaMF, Zhang et al., LREC-COLING 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import (
    STRUCTURE,
    Absent,
    Encoded,
    FeatureTable,
    WhenMissing,
)
from dhns.encoders.feature_views import FeatureEncoder
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.scorers.scorer import Scorer


class AttentionFusion(FeatureEncoder):
    """Structure and linearly projected features, weighted by ``softmax_v(w . tanh(view_v))`` over the present views.

    Features stay frozen buffers, outside of the optimizer and the checkpoint, unless ``train_features``.

    Args:
        graph: brings the features; any set of modalities, an entity may lack any of them.
        scorer: fixes the width and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        absent: what stands for features that an entity lacks; see `Absent`.
        train_features: fine-tune the raw features too, as the DHNS code does.
        fusion: ``attention``, or ``structure``: the joint embedding is the structural view alone, and other views serve
            only a generator of negatives, as in the DHNS code's DistMult.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        absent: Absent = "mask",
        train_features: bool = False,
        fusion: Literal["attention", "structure"] = "attention",
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing, needed=False)
        names = self.modality_names
        self.fusion = fusion
        self.attention = nn.Linear(self.width, 1, bias=False)
        self.projections = nn.ModuleDict({n: nn.Linear(graph.modalities[n].dim, self.width) for n in names})
        self.features = nn.ModuleDict(
            {name: FeatureTable(graph.modalities[name], train_features, absent) for name in names}
        )

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        structure, everywhere = self.structural_view(entity)
        views, present = {STRUCTURE: structure}, {STRUCTURE: everywhere}
        for name, project in self.projections.items():
            features, present[name] = self.features[name](entity)
            views[name] = project(features)
        return Encoded(self.fuse(views, present), views, present)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        if self.fusion == "structure" or len(views) == 1:
            return views[STRUCTURE]
        weight = self.attention.weight[0]
        logits = torch.stack([view.tanh() @ weight for view in views.values()])
        mask = torch.stack([present[name].expand(view.shape[:-1]) for name, view in views.items()])
        attention = logits.masked_fill(~mask, float("-inf")).softmax(0)
        # absent rows weigh 0 but must be finite, since 0 * nan is nan; projections of zero rows are
        joint = attention[0, ..., None] * views[STRUCTURE]
        for share, view in zip(attention[1:], list(views.values())[1:], strict=True):
            joint = torch.addcmul(joint, share[..., None], view)
        return joint
