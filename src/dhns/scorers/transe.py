"""TransE: a relation translates the head (Bordes et al., NeurIPS 2013)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import embedding, normalize

from dhns.ranges import Count, NotNegative
from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance
from dhns.scorers.scorer import Scorer


class TransE(Scorer):
    """``margin - || h + r - t ||_1``, or ``margin - || h + r - t ||_2^2``.

    Args:
        dim: length of entity and relation vectors.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
        normalize: scale heads, relations and tails to unit length first, as the DHNS code and OpenKE do.
        condition_sign: Eq. 9 for a translation is ``h + r`` and ``t - r`` (``translation``). Read literally it is
            ``e + r`` on both sides (``literal``); the DHNS code has ``h - r`` and ``t + r`` (``reference``).
        norm: ``l1``; or ``l2_squared``, which is an inner product of D + 2 features: one matrix product scores all
            entities, and the loss can be ``non_sampling``.
    """

    def __init__(
        self,
        dim: Count,
        margin: NotNegative = 9.0,
        epsilon: NotNegative = 2.0,
        normalize: bool = False,
        condition_sign: Literal["translation", "literal", "reference"] = "translation",
        norm: Literal["l1", "l2_squared"] = "l1",
    ) -> None:
        super().__init__()
        self.entity_width = self.relation_width = dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim
        self.normalize = normalize
        self.condition_sign = condition_sign
        self.norm = norm

    def inverse(self, relation: Tensor) -> Tensor:
        return -relation

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        if self.normalize:
            return normalize(entity, dim=-1) + normalize(relation, dim=-1)
        return entity + relation

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        if self.condition_sign == "literal":
            return entity + relation
        directed = self.directed(relation, head_side)
        return entity - directed if self.condition_sign == "reference" else entity + directed

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        if self.norm == "l2_squared":
            return self.margin - (query - self._unit(candidate)).square().sum(-1)
        return self.margin - pairwise_distance(query, self._unit(candidate), "l1")

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        if self.norm == "l2_squared":
            with torch.autocast(query.device.type, enabled=False):  # half precision loses differences of squares
                query, table = self.factors(query, table)
                return torch.bmm(embedding(index, table), query[:, :, None]).squeeze(-1)
        return self.margin - indexed_distance(query, self._unit(table), index, "l1")

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        if self.norm == "l2_squared":
            with torch.autocast(query.device.type, enabled=False):
                query, table = self.factors(query, table)
                return query @ table.T
        return self.margin - all_distances(query, self._unit(table), "l1")

    def factors(self, query: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """``margin - |q|^2 + 2 q.t - |t|^2``, as ``(2 q, margin - |q|^2, -1) . (t, 1, |t|^2)``."""
        if self.norm != "l2_squared":
            return super().factors(query, table)
        table = self._unit(table)
        one, square = torch.ones_like(table[:, :1]), table.square().sum(1, keepdim=True)
        rest = self.margin - query.square().sum(1, keepdim=True)
        return torch.cat([2 * query, rest, -torch.ones_like(rest)], dim=1), torch.cat([table, one, square], dim=1)

    def _unit(self, entity: Tensor) -> Tensor:
        return normalize(entity, dim=-1) if self.normalize else entity
