"""PairRE: a relation scales head and tail by a vector each (Chao et al., ACL 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.ranges import Count, NotNegative
from dhns.scorers.scorer import Scorer
from dhns.scorers.tiles import tiled_all, tiled_indexed


class PairRE(Scorer):
    """``margin - || h * r_h - t * r_t ||_1`` for heads and tails of unit length.

    A relation vector holds ``r_h``, then ``r_t``. A query holds the scaled entity, then the vector that scales its
    candidates. The condition is the scaled entity: a product, as in Eq. 8 of DHNS.

    Args:
        dim: length of entity vectors; relation vectors are twice as long.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
    """

    def __init__(self, dim: Count, margin: NotNegative = 6.0, epsilon: NotNegative = 2.0) -> None:
        super().__init__()
        self.entity_width = dim
        self.relation_width = 2 * dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim

    def inverse(self, relation: Tensor) -> Tensor:
        own, other = relation.chunk(2, dim=-1)
        return torch.cat([other, own], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        own, other = relation.chunk(2, dim=-1)
        point = normalize(entity, dim=-1) * own
        return torch.cat([point, other.expand_as(point)], dim=-1)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        point, _ = super().condition(entity, relation, head_side).chunk(2, dim=-1)
        return point

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return self._match(query, normalize(candidate, dim=-1))

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return tiled_indexed(self._match, query, normalize(table, dim=-1), index)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return tiled_all(self._match, query, normalize(table, dim=-1))

    def _match(self, query: Tensor, unit: Tensor) -> Tensor:
        """`match` for candidates that already have unit length."""
        point, other = query.chunk(2, dim=-1)
        return self.margin - torch.addcmul(point, unit, other, value=-1).abs().sum(-1)
