"""RSME: ComplEx, and the likeness of images as far as a relation cares (Wang et al., ACM MM 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.ranges import Count, Fraction, Positive
from dhns.scorers.complex import ComplEx


class RSME(ComplEx):
    """``beta * ComplEx(h, r, t) + (1 - beta) * g_r * <f(h), f(t)>`` of an embedding and image coordinates ``f``.

    An entity vector is ``[embedding (2 dim) ; f]``; ``f`` has length one where there is an image and is zero elsewhere,
    so that the product is a cosine, or no visual term. Both terms are one inner product of concatenated vectors. An
    entity vector without ``f``, such as a single view, is scored by the first term alone.

    A relation vector is ``[ComplEx vector (2 dim) ; logit of g_r]``. The paper's forget gate is 0 or 1 and fixed before
    training: it lets the visual term pass for those relations whose true tails rank high by the likeness of images.
    Here ``g_r = sigmoid(logit)`` is learned, since the softmax loss sees both terms; it starts half open. The published
    code trains the first term alone and adds the second for ranking.

    Args:
        dim: complex dimension.
        init_range: half-width of the uniform initialisation.
        structural_weight: beta.
    """

    def __init__(self, dim: Count, init_range: Positive = 0.2, structural_weight: Fraction = 0.95) -> None:
        super().__init__(dim, init_range)
        self.relation_width += 1
        self.structural_weight = structural_weight

    def initial_relations(self, count: int) -> Tensor:
        relations = super().initial_relations(count)
        relations[:, -1] = 0
        return relations

    def prepare(self, relations: Tensor) -> Tensor:
        """``(relations, 2 dim + 1)`` with gates in the place of their logits."""
        return torch.cat([relations[:, :-1], relations[:, -1:].sigmoid()], dim=-1)

    def magnitudes(self, vector: Tensor) -> Tensor:
        """``(..., dim)`` complex moduli of an embedding or a relation; image coordinates and gates have none."""
        return super().magnitudes(vector[..., : self.entity_width])

    def inverse(self, relation: Tensor) -> Tensor:
        return torch.cat([super().inverse(relation[..., :-1]), relation[..., -1:]], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        embedding, image = entity[..., : self.entity_width], entity[..., self.entity_width :]
        product = super().query(embedding, relation[..., :-1])
        gate = (1 - self.structural_weight) * relation[..., -1:]
        return torch.cat([self.structural_weight * product, gate * image], dim=-1)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return super().match(query[..., : candidate.shape[-1]], candidate)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return super().match_indexed(query[..., : table.shape[-1]], table, index)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return super().match_all(query[..., : table.shape[-1]], table)
