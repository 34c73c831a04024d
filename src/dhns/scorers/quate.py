"""QuatE: a relation rotates the head in quaternion space (Zhang et al., NeurIPS 2019)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.ranges import Count, Positive
from dhns.scorers.scorer import SimilarityScorer, moduli


class QuatE(SimilarityScorer):
    """``(h r/|r|) . t``: the Hamilton product with the relation's unit quaternions, matched by an inner product.

    Vectors hold ``dim`` real parts, then the parts along i, j and k. The condition is the rotated entity, as in Eq. 7
    of DHNS. All parts start uniformly; the paper draws random axes and angles.

    Args:
        dim: quaternions per vector; entity and relation vectors are four times as long.
        init_range: half-width of the uniform initialisation.
    """

    def __init__(self, dim: Count, init_range: Positive = 0.2) -> None:
        super().__init__()
        self.entity_width = self.relation_width = 4 * dim
        self.init_range = init_range

    def prepare(self, relations: Tensor) -> Tensor:
        return normalize(_quaternions(relations), dim=-2).flatten(-2)

    def magnitudes(self, vector: Tensor) -> Tensor:
        """``(..., dim)`` norms of the quaternions."""
        return moduli(vector, parts=4)

    def inverse(self, relation: Tensor) -> Tensor:
        """The conjugate, which is the inverse of a unit quaternion."""
        real, *imaginary = relation.chunk(4, dim=-1)
        return torch.cat([real, *(-part for part in imaginary)], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        a, b, c, d = entity.chunk(4, dim=-1)
        p, q, u, v = relation.chunk(4, dim=-1)
        return torch.cat(
            [
                a * p - b * q - c * u - d * v,
                a * q + b * p + c * v - d * u,
                a * u - b * v + c * p + d * q,
                a * v + b * u - c * q + d * p,
            ],
            dim=-1,
        )


def _quaternions(vector: Tensor) -> Tensor:
    """``(..., 4, dim)`` parts of the quaternions in ``vector`` ``(..., 4 * dim)``."""
    return vector.reshape(*vector.shape[:-1], 4, -1)
