"""An auto-encoder of features whose code is the entity vector: the encoder of TransAE."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import STRUCTURE, Encoded, FeatureTable, WhenMissing
from dhns.encoders.feature_views import FeatureEncoder, sum_of_present
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.ranges import Count, NotNegative
from dhns.scorers.scorer import Scorer


class AutoEncoder(FeatureEncoder):
    """TransAE (Wang et al., IJCNN 2019): features, a hidden layer per modality, one code, and the way back.

    The code is what the scorer gets. Being linear, it is the sum of what each modality adds to it, which are the views.
    While training, `Encoded.loss` is the squared error of the reconstruction,
    averaged over coordinates and over the entities that have the modality, and summed over modalities.

    Departures from the paper, whose layers are sigmoid: hidden units are tanh, and code and output are linear, as the
    vectors of TransE and features take both signs. Features are standardised, so that the errors of all modalities
    weigh alike. An absent modality adds nothing to the code. An entity without any has nothing to encode: it is a
    learned vector, the structural view.

    Args:
        graph: brings the features.
        scorer: fixes the width D of the code.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        hidden: units of the hidden layer of each modality, on the way in and on the way out.
        reconstruction: weight of the error.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None = None,
        when_missing: WhenMissing = "stop",
        hidden: Count = 192,
        reconstruction: NotNegative = 1.0,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing)
        names = self.modality_names
        self.reconstruction = reconstruction
        self.features = nn.ModuleDict({name: FeatureTable(standardised(graph.modalities[name])) for name in names})
        dims = {name: graph.modalities[name].dim for name in names}
        self.inward = nn.ModuleDict({name: nn.Linear(dim, hidden) for name, dim in dims.items()})
        self.code = nn.ModuleDict({name: nn.Linear(hidden, self.width) for name in names})
        self.spread = nn.Linear(self.width, hidden * len(names))
        self.outward = nn.ModuleDict({name: nn.Linear(hidden, dim) for name, dim in dims.items()})

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        structure, everywhere = self.structural_view(entity)
        features = {name: table(entity) for name, table in self.features.items()}
        views, present = {STRUCTURE: structure}, {STRUCTURE: everywhere}
        for name, (rows, present[name]) in features.items():
            views[name] = self.code[name](self.inward[name](rows).tanh())
        code = self.fuse(views, present)
        loss = self.reconstruction * self._error(code, features) if self.training else None
        return Encoded(code, views, present, loss)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        return sum_of_present(self.modality_names, views, present, views[STRUCTURE])

    def _error(self, code: Tensor, features: dict[str, tuple[Tensor, Tensor]]) -> Tensor:
        """Mean squared error per modality, summed, of codes ``(U, D)``."""
        hidden = self.spread(code).tanh().chunk(len(features), dim=-1)
        errors = []
        for (name, (rows, mask)), units in zip(features.items(), hidden, strict=True):
            error = (self.outward[name](units) - rows).square().mean(-1)
            errors.append((error * mask).sum() / mask.sum().clamp(min=1))
        return torch.stack(errors).sum()


def standardised(modality: Modality) -> Modality:
    """Features of mean 0 per coordinate and of variance 1 over all, among the entities that have them; 0 elsewhere."""
    rows = modality.features[modality.present].float()
    centred = rows - rows.mean(0) if len(rows) else rows
    spread = centred.square().mean().sqrt() if len(rows) else 0.0
    features = torch.zeros(modality.features.shape)
    features[modality.present] = centred / spread if spread > 0 else centred
    return Modality(features, modality.present)
