"""What encoders of features share: a view per modality, and the view that they are together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import STRUCTURE, Absent, EntityEncoder, FeatureTable, WhenMissing, choose_modalities
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.scorers.scorer import Scorer


class FeatureViews(nn.Module):
    """``W_k f_k + b_k`` for each modality k; their sum is one linear map of the concatenated features.

    Args:
        graph: brings the features.
        modalities: names.
        width: D of a view.
        absent: what stands for features that an entity lacks; see `Absent`.
        length: features are scaled to this mean sum of absolute values, and maps start from zero. A step of an adaptive
            optimizer moves all weights of a map alike, and so a view by that many steps of a vector. Null leaves
            features as they are, and maps as torch initialises them.
    """

    factors: Tensor | None

    def __init__(
        self,
        graph: KnowledgeGraph,
        modalities: Sequence[str],
        width: int,
        absent: Absent,
        length: float | None = None,
    ) -> None:
        super().__init__()
        self.tables = nn.ModuleDict({name: FeatureTable(graph.modalities[name], absent=absent) for name in modalities})
        self.projections = nn.ModuleDict({n: nn.Linear(graph.modalities[n].dim, width) for n in modalities})
        factors = None
        if length is not None:
            factors = torch.tensor([length / _mean_length(graph.modalities[name]) for name in modalities])
            for parameter in self.projections.parameters():
                nn.init.zeros_(parameter)
        self.register_buffer("factors", factors, persistent=False)

    def forward(self, entity: Tensor | None = None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """``(U, D)`` views and ``(U,)`` bool masks of the entities ``(U,)``, or of all, by modality."""
        views, present = {}, {}
        for number, (name, project) in enumerate(self.projections.items()):
            features, present[name] = self.tables[name](entity)
            views[name] = project(features if self.factors is None else features * self.factors[number])
        return views, present


def _mean_length(modality: Modality) -> float:
    """Mean sum of absolute values of the features that there are; 1 if there are none but zeros."""
    rows = modality.features[modality.present].float()
    return float(rows.abs().sum(1).mean()) if rows.any() else 1.0


def sum_of_present(
    names: Sequence[str], views: Mapping[str, Tensor], present: Mapping[str, Tensor], otherwise: Tensor
) -> Tensor:
    """``(..., D)`` sum of those of the named views that an entity has, or ``otherwise`` where it has none.

    Args:
        names: of views; one that is not among ``views`` counts as absent.
        views: ``(..., D)`` by name.
        present: ``(...)`` bool by name.
        otherwise: ``(..., D)``.
    """
    total, found = torch.zeros_like(otherwise), torch.zeros_like(otherwise[..., 0], dtype=torch.bool)
    for name in names:
        if name in views:
            # absent rows may hold anything
            total = total + views[name].masked_fill(~present[name][..., None], 0)
            found = found | present[name]
    return torch.where(found[..., None], total, otherwise)


class FeatureEncoder(EntityEncoder):
    """Structure, and a view of each modality.

    Args:
        graph: brings the features.
        scorer: fixes the width D of a view and the initialisation.
        modalities: which modalities to use; all of the graph's when null.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`.
        needed: the model is nothing without features.

    Raises:
        InputError: there is none to use, and it is ``needed``; see also `choose_modalities`.
    """

    reads_features = True

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] | None,
        when_missing: WhenMissing,
        *,
        needed: bool = True,
    ) -> None:
        super().__init__(graph, scorer)
        names, self.missing = choose_modalities(graph, modalities, when_missing)
        if needed and not names:
            has = ", ".join(graph.modalities) or "none"
            raise InputError(
                f"this model needs a modality, and encoder.modalities names none ({graph.name} has: {has}); name one, "
                "or choose a model of structure alone, such as model=transe"
            )
        self.view_names = (STRUCTURE, *names)

    def with_structure(
        self, features: FeatureViews, entity: Tensor | None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """``(U, D)`` views and ``(U,)`` masks of entities ``(U,)``, or of all: structure, then those of features."""
        structure, everywhere = self.structural_view(entity)
        views, present = features(entity)
        return {STRUCTURE: structure, **views}, {STRUCTURE: everywhere, **present}

    @property
    def modality_names(self) -> tuple[str, ...]:
        """The views but for ``structure``."""
        return self.view_names[1:]
