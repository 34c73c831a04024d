"""The baseline that learns nothing: how often an entity stands on that side of the relation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries


class RelationFrequency(nn.Module):
    """Score an entity by its count as tail (or head) of the relation in the training triples, 0 if it has none.

    The known entity of a query is ignored, so whatever a model scores above this it has learnt about entities. Most
    entities tie at 0: only realistic ranks of it mean something. The counts are sparse, one per distinct pair of
    relation and entity on each side.
    """

    counts: Tensor

    def __init__(self, graph: KnowledgeGraph) -> None:
        super().__init__()
        self.num_relations = graph.num_relations
        head, relation, tail = graph.train.unbind(1)
        cells = torch.stack([torch.cat([relation, relation + graph.num_relations]), torch.cat([tail, head])])
        shape = (2 * graph.num_relations, graph.num_entities)  # first the rows that ask for tails, then those for heads
        counts = torch.sparse_coo_tensor(cells, torch.ones(cells.shape[1]), shape, check_invariants=True).coalesce()
        self.register_buffer("counts", counts, persistent=False)

    def forward(self, queries: Queries) -> Tensor:
        """Scores of all entities, ``(batch, entities)`` float32."""
        return self.counts.index_select(0, queries.relation + queries.head_side * self.num_relations).to_dense()
