"""ComplEx: a complex diagonal bilinear form (Trouillon et al., ICML 2016)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.ranges import Count, Positive
from dhns.scorers.scorer import SimilarityScorer, moduli


class ComplEx(SimilarityScorer):
    """``Re(sum_i h_i r_i conj(t_i))``; vectors hold real parts, then imaginary parts.

    Args:
        dim: complex dimension; entity and relation vectors are twice as long.
        init_range: half-width of the uniform initialisation.
    """

    def __init__(self, dim: Count, init_range: Positive = 0.2) -> None:
        super().__init__()
        self.entity_width = self.relation_width = 2 * dim
        self.init_range = init_range

    def magnitudes(self, vector: Tensor) -> Tensor:
        """``(..., dim)`` complex moduli."""
        return moduli(vector, parts=2)

    def inverse(self, relation: Tensor) -> Tensor:
        real, imaginary = relation.chunk(2, dim=-1)
        return torch.cat([real, -imaginary], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        real, imaginary = entity.chunk(2, dim=-1)
        cosine, sine = relation.chunk(2, dim=-1)
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)
