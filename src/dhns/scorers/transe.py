"""TransE: a relation translates the head (Bordes et al., NeurIPS 2013)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor
from torch.nn.functional import normalize

from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance
from dhns.scorers.scorer import Scorer


class TransE(Scorer):
    """``margin - || h + r - t ||_1``.

    Args:
        dim: length of entity and relation vectors.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
        normalize: scale heads, relations and tails to unit length first, as the DHNS code and OpenKE do.
        condition_sign: Eq. 9 for a translation is ``h + r`` and ``t - r`` (``translation``). Read literally it is
            ``e + r`` on both sides (``literal``); the DHNS code has ``h - r`` and ``t + r`` (``reference``).
    """

    def __init__(
        self,
        dim: int,
        margin: float = 9.0,
        epsilon: float = 2.0,
        normalize: bool = False,
        condition_sign: Literal["translation", "literal", "reference"] = "translation",
    ) -> None:
        super().__init__()
        self.entity_width = self.relation_width = dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim
        self.normalize = normalize
        self.condition_sign = condition_sign

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
        return self.margin - pairwise_distance(query, self._unit(candidate), "l1")

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return self.margin - indexed_distance(query, self._unit(table), index, "l1")

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return self.margin - all_distances(query, self._unit(table), "l1")

    def _unit(self, entity: Tensor) -> Tensor:
        return normalize(entity, dim=-1) if self.normalize else entity
