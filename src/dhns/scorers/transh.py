"""TransH: a relation translates on a hyperplane (Wang et al., AAAI 2014)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.ranges import Count, NotNegative
from dhns.scorers.distance import length
from dhns.scorers.scorer import Scorer
from dhns.scorers.tiles import tiled_all, tiled_indexed


class TransH(Scorer):
    """``margin - || P h + d - P t ||`` where ``P e = e - (w . e) w`` drops an entity on the hyperplane with normal w.

    A relation vector holds the translation d, then the normal w. A query holds the expected point of the hyperplane,
    then w. The condition is that point: a translation, as in Eq. 9 of DHNS.

    The paper asks for d in the hyperplane and entities in the unit ball by penalties and squares the distance. Here
    `prepare` drops d on the hyperplane, which is the penalty's optimum; entities are free and distances plain, as for
    the project's TransE, so that margins mean the same.

    Args:
        dim: length of entity vectors; relation vectors are twice as long.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
        norm: of the distance; ``l2`` ranks all entities by matrix products.
    """

    def __init__(
        self, dim: Count, margin: NotNegative = 9.0, epsilon: NotNegative = 2.0, norm: Literal["l1", "l2"] = "l1"
    ) -> None:
        super().__init__()
        self.entity_width = dim
        self.relation_width = 2 * dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim
        self.norm = norm

    def prepare(self, relations: Tensor) -> Tensor:
        translation, normal = relations.chunk(2, dim=-1)
        normal = normalize(normal, dim=-1)
        return torch.cat([_drop(translation, normal), normal], dim=-1)

    def inverse(self, relation: Tensor) -> Tensor:
        translation, normal = relation.chunk(2, dim=-1)
        return torch.cat([-translation, normal], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        translation, normal = relation.chunk(2, dim=-1)
        point = _drop(entity, normal) + translation
        return torch.cat([point, normal.expand_as(point)], dim=-1)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        point, _ = super().condition(entity, relation, head_side).chunk(2, dim=-1)
        return point

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        point, normal = query.chunk(2, dim=-1)
        return self.margin - length(_drop(candidate, normal) - point, self.norm)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return tiled_indexed(self.match, query, table, index)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        """See `Scorer.match_all`.

        The products of ``l2`` cannot tell distances below about a thousandth of the vectors' lengths from each other.
        """
        if self.norm == "l1" or (torch.is_grad_enabled() and (query.requires_grad or table.requires_grad)):
            return tiled_all(self.match, query, table)
        point, normal = query.chunk(2, dim=-1)
        # the point lies on the hyperplane already: its products with t and with P t are the same
        dropped = table.square().sum(-1) - (normal @ table.T).square()
        square = point.square().sum(-1, keepdim=True) + dropped - 2 * (point @ table.T)
        return self.margin - square.clamp(min=0).sqrt()


def _drop(vector: Tensor, normal: Tensor) -> Tensor:
    """The foot of the perpendicular from ``vector`` on the hyperplane with unit ``normal``; both ``(..., D)``."""
    along = torch.einsum("...d,...d->...", vector, normal)
    return torch.addcmul(vector, along[..., None], normal, value=-1)
