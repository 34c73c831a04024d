"""How alike entities are under a relation, by structure and by features: what MMRNS samples by."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding, layer_norm, leaky_relu, normalize

from dhns.encoders.encoder import STRUCTURE, FeatureTable
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.scorers.scorer import Scorer

_EPSILON = 1e-12


class Similarity(NamedTuple):
    """Cosines between the true entity of each of B queries and others, in one view.

    Attributes:
        pool: ``(B, P)`` with the candidates.
        pool_known: ``(B, P)`` bool: both have the view.
        answer: ``(B,)`` with another answer of the query.
        answer_known: ``(B,)`` bool: both have the view.
    """

    pool: Tensor
    pool_known: Tensor
    answer: Tensor
    answer_known: Tensor


class CrossModalAttention(nn.Module):
    """Knowledge-guided cross-modal attention (KCA) of MMRNS, over one vector per entity and modality.

    ``x_m = LeakyReLU(W_m f_m)`` of each modality attends to those that the entity has,
    ``y_m = LN(x_m) + LN(sum_n softmax_n(x_m . x_n / sqrt(dim)) x_n)``, and the relation picks channels,
    ``z_m = sigmoid(G_m r) * y_m``. Structure is ``z_s = sigmoid(G_s r) * s``. Entities are compared by the cosine of
    their z, in each view.

    Departures: the paper has 24 image and 4 text tokens per entity, and the relation gates their 24 x 4 matrix of
    products. With one token of each that matrix is a number, and normalisation would cancel it; so the relation gates
    channels, and attention runs over modalities, any set of them. The gate of structure does not look at the entity.
    Thus the relation leaves an entity's features alone, each distinct entity is projected once, and all similarities
    are matrix products: no ``(B, P, dim)`` tensor.

    Args:
        graph: brings the features.
        scorer: its widths are those of structural and relation vectors.
        dim: channels of a modality.

    Raises:
        InputError: the graph has no modality, or one whose features should be there and are not.
    """

    def __init__(self, graph: KnowledgeGraph, scorer: Scorer, dim: int) -> None:
        super().__init__()
        graph.require_features()
        if not graph.modalities:
            raise InputError(
                f"negatives=mmrns compares features, and {graph.name} has no modality; use another sampler"
            )
        self.dim = dim
        self.features = nn.ModuleDict({name: FeatureTable(modality) for name, modality in graph.modalities.items()})
        self.projections = nn.ModuleDict({n: nn.Linear(modality.dim, dim) for n, modality in graph.modalities.items()})
        widths = {STRUCTURE: scorer.entity_width, **dict.fromkeys(graph.modalities, dim)}
        self.gates = nn.ModuleDict({view: nn.Linear(scorer.relation_width, width) for view, width in widths.items()})

    def forward(
        self, structure: Tensor, relation: Tensor, true: Tensor, answer: Tensor, pool: Tensor
    ) -> dict[str, Similarity]:
        """Similarities by view, ``structure`` first.

        Args:
            structure: ``(E, D)`` structural table of all entities.
            relation: ``(B, R)`` vectors of the queries' relations.
            true: ``(B,)`` the true entity of each query.
            answer: ``(B,)`` another known answer of it.
            pool: ``(P,)`` distinct candidates, the same for all queries.
        """
        distinct, rows = torch.unique(torch.cat([true, answer, pool]), return_inverse=True)
        t, a, p = rows.split([len(true), len(answer), len(pool)])
        similarities = {}
        for view, (vector, present) in self.embed(distinct, structure).items():
            gate = self.gates[view](relation).sigmoid()
            anchor = normalize(gate * embedding(t, vector), dim=-1)
            length = (gate.square() @ embedding(p, vector).square().T + _EPSILON).sqrt()
            similarities[view] = Similarity(
                (gate * anchor) @ embedding(p, vector).T / length,
                present[t, None] & present[p],
                (anchor * normalize(gate * embedding(a, vector), dim=-1)).sum(-1),
                present[t] & present[a],
            )
        return similarities

    def embed(self, entity: Tensor, structure: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """``(U, width)`` vectors of entities ``(U,)``, still without gate, and the mask of who has them, by view."""
        projected, masks = [], []
        for name, project in self.projections.items():
            features, present = self.features[name](entity)
            projected.append(leaky_relu(project(features), 0.1))
            masks.append(present)
        x, present = torch.stack(projected, 1), torch.stack(masks, 1)
        product = x @ x.transpose(1, 2) / math.sqrt(self.dim)
        # a finite mask: an entity without any modality gets numbers that its own mask hides
        attention = product.masked_fill(~present[:, None], torch.finfo(product.dtype).min).softmax(-1)
        y = layer_norm(x, (self.dim,)) + layer_norm(attention @ x, (self.dim,))
        everyone = torch.ones_like(entity, dtype=torch.bool)
        views = {name: (y[:, m], present[:, m]) for m, name in enumerate(self.projections)}
        return {STRUCTURE: (structure[entity], everyone), **views}
