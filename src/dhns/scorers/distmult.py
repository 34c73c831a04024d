"""DistMult: a diagonal bilinear form (Yang et al., ICLR 2015)."""

from __future__ import annotations

from torch import Tensor

from dhns.ranges import Count, Positive
from dhns.scorers.scorer import SimilarityScorer


class DistMult(SimilarityScorer):
    """``sum_i h_i r_i t_i``; symmetric, so both sides ask the same question.

    Args:
        dim: length of entity and relation vectors.
        init_range: half-width of the uniform initialisation.
    """

    def __init__(self, dim: Count, init_range: Positive = 0.2) -> None:
        super().__init__()
        self.entity_width = self.relation_width = dim
        self.init_range = init_range

    def inverse(self, relation: Tensor) -> Tensor:
        return relation

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        return entity * relation
