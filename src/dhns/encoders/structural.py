"""The unimodal encoder: one learned vector per entity."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder, uniform_parameter
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.scorers.scorer import Scorer


class StructuralEncoder(EntityEncoder):
    """A table of learned vectors; features of the graph, if any, are not used."""

    def __init__(self, graph: KnowledgeGraph, scorer: Scorer) -> None:
        super().__init__()
        self.num_entities = graph.num_entities
        self.width = scorer.entity_width
        self.view_names = (STRUCTURE,)
        self.structure = uniform_parameter(self.num_entities, self.width, scorer.init_range)

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        rows = self.structure if entity is None else self.structure[entity]
        present = torch.ones(len(rows), dtype=torch.bool, device=rows.device)
        return Encoded(rows, {STRUCTURE: rows}, {STRUCTURE: present})

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        return views[STRUCTURE]
