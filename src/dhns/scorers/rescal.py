"""RESCAL: a full bilinear form (Nickel et al., ICML 2011)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.ranges import Count, Positive
from dhns.scorers.scorer import SimilarityScorer


class RESCAL(SimilarityScorer):
    """``h^T M t``, M being the matrix of the relation, whose rows lie one after the other in the relation vector.

    The paper fits a tensor by alternating least squares; here the form is a scorer like any other.

    Args:
        dim: length of entity vectors; relation vectors have its square.
        init_range: half-width of the uniform initialisation.
    """

    def __init__(self, dim: Count, init_range: Positive = 0.2) -> None:
        super().__init__()
        self.entity_width = dim
        self.relation_width = dim * dim
        self.init_range = init_range

    def inverse(self, relation: Tensor) -> Tensor:
        return self._matrix(relation).mT.flatten(-2)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        return torch.einsum("...i,...ij->...j", entity, self._matrix(relation))

    def _matrix(self, relation: Tensor) -> Tensor:
        return relation.reshape(*relation.shape[:-1], self.entity_width, self.entity_width)
