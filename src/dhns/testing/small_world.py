"""A graph of twelve entities, and models on it."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality, Vocabulary
from dhns.models.batch import EmbeddedPositives
from dhns.models.kge_model import KGEModel
from dhns.scorers.rotate import RotatE
from dhns.scorers.scorer import Scorer


def small_graph() -> KnowledgeGraph:
    """12 entities, 3 relations, 24 triples; everyone has text, every second entity an image.

    ``next`` (0) links a ring, ``previous`` (1) is its inverse, ``kind of`` (2) leads to entity 0 or 1.
    """
    ring = [(i, 0, (i + 1) % 12) for i in range(12)]
    back = [(i, 1, i - 1) for i in (3, 4, 6, 7)]
    kinds = [(i, 2, i % 2) for i in range(2, 10)]
    generator = torch.Generator().manual_seed(0)
    present = torch.arange(12) % 2 == 0
    images = torch.randn(12, 5, generator=generator).masked_fill(~present[:, None], 0)
    texts = torch.randn(12, 4, generator=generator)
    return KnowledgeGraph(
        name="toy",
        entities=Vocabulary("entity", tuple(f"e{i}" for i in range(12)), tuple(f"Entity {i}" for i in range(12))),
        relations=Vocabulary("relation", ("next", "previous", "kind_of"), ("next", "previous", "kind of")),
        train=torch.tensor(ring[:10] + back[:2] + kinds[:6]),
        valid=torch.tensor([ring[10], back[2], kinds[6]]),
        test=torch.tensor([ring[11], back[3], kinds[7]]),
        modalities={"visual": Modality(images, present), "textual": Modality(texts, torch.ones(12, dtype=torch.bool))},
    )


def fusing_model(graph: KnowledgeGraph, scorer: Scorer | None = None) -> KGEModel:
    """A model of all views of the graph, with RotatE of 3 complex numbers unless another scorer is given."""
    scorer = RotatE(3) if scorer is None else scorer
    return KGEModel(AttentionFusion(graph, scorer), scorer, graph.num_relations)


def embedded(model: KGEModel, triples: Tensor) -> EmbeddedPositives:
    """Positives ``(B, 3)`` as the training step embeds them."""
    relations = model.relation_table()
    encoded, (head, tail) = model.encode_distinct(triples[:, 0], triples[:, 2], relations=relations)
    return EmbeddedPositives(encoded.rows(head), relations[triples[:, 1]], encoded.rows(tail))
