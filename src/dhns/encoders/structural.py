"""The unimodal encoder: one learned vector per entity."""

from __future__ import annotations

from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.scorers.scorer import Scorer


class StructuralEncoder(EntityEncoder):
    """A table of learned vectors; features of the graph, if any, are not used."""

    def __init__(self, graph: KnowledgeGraph, scorer: Scorer) -> None:
        super().__init__(graph, scorer)
        self.view_names = (STRUCTURE,)

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        rows, present = self.structural_view(entity)
        return Encoded(rows, {STRUCTURE: rows}, {STRUCTURE: present})

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        return views[STRUCTURE]
