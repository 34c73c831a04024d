"""Structure beside projected features, scored as views: the encoder of IKRL, TBKGC and VBKGC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, Absent, Encoded, WhenMissing
from dhns.encoders.feature_views import FeatureEncoder, FeatureViews, sum_of_present
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.scorers.scorer import Scorer


class ProjectedViews(FeatureEncoder):
    """Structure and linearly projected features, side by side for `dhns.scorers.view_energies.ViewEnergies`.

    Beside structure stand

    - ``separate``: a view per modality, ``W f + b``; IKRL has one, of images;
    - ``parts``: one multimodal view ``[W_1 f_1 + b_1; ...; W_k f_k + b_k]``, D / k wide each, as in TBKGC. As all
      views are D wide, this is the first part of view 1, the second of view 2, and so on;
    - ``concatenated``: one multimodal view ``W [f_1; ...; f_k] + b``. It stands in for VBKGC's projection of what
      VisualBERT makes of texts and images together: the project's features come per modality.

    Departures from the papers: IKRL weighs the several images of an entity by attention; here an entity has one vector
    per modality. The features are whatever the graph brings, and biases are learned. No paper says what an entity
    without features is: here its missing view is its structural view (of a missing part: the same part of it), so that
    its energies keep their scale.

    Args:
        graph: brings the features.
        scorer: fixes the width D of a view and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        absent: what stands for features that an entity lacks; see `Absent`.
        multimodal: ``separate``, ``parts`` or ``concatenated``.
        with_sum: append ``structure + view 1``, which TBKGC's fifth energy compares.

    Raises:
        InputError: the graph has no modality to use; see also `choose_modalities`.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        absent: Absent = "mask",
        multimodal: Literal["separate", "parts", "concatenated"] = "separate",
        with_sum: bool = False,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing)
        self.multimodal, self.with_sum = multimodal, with_sum
        self.features = FeatureViews(graph, self.modality_names, self.width, absent)

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        views, present = self.with_structure(self.features, entity)
        return Encoded(self.fuse(views, present), views, present)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        structure, names = views[STRUCTURE], self.modality_names
        if self.multimodal == "concatenated":
            beside = [sum_of_present(names, views, present, structure)]
        else:
            beside = [sum_of_present([name], views, present, structure) for name in names]
        if self.multimodal == "parts":
            split = [view.tensor_split(len(names), dim=-1) for view in beside]
            beside = [torch.cat([parts[k] for k, parts in enumerate(split)], dim=-1)]
        joint = [structure, *beside]
        if self.with_sum:
            joint.append(structure + beside[0])
        return torch.cat(joint, dim=-1)
