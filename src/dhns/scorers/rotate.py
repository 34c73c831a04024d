"""RotatE: a relation rotates the head in the complex plane (Sun et al., ICLR 2019)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dhns.ranges import Count, NotNegative
from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance
from dhns.scorers.scorer import Scorer


class RotatE(Scorer):
    """``margin - sum_i |h_i e^{i theta_i} - t_i|`` over complex coordinates.

    An entity vector holds ``dim`` real parts, then ``dim`` imaginary parts. A relation vector holds ``dim`` numbers
    that become phases when divided by ``init_range / pi``, as in the authors' code: this scales their learning rate.

    Args:
        dim: complex dimension; entity vectors are twice as long.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
    """

    def __init__(self, dim: Count, margin: NotNegative = 9.0, epsilon: NotNegative = 2.0) -> None:
        super().__init__()
        self.entity_width = 2 * dim
        self.relation_width = dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim

    def inverse(self, relation: Tensor) -> Tensor:
        return -relation

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        phase = relation * (math.pi / self.init_range)
        cosine, sine = phase.cos(), phase.sin()
        real, imaginary = entity.chunk(2, dim=-1)
        return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return self.margin - pairwise_distance(query, candidate, "modulus")

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return self.margin - indexed_distance(query, table, index, "modulus")

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return self.margin - all_distances(query, table, "modulus")
