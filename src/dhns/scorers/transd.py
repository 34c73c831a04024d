"""TransD: a translation between entities moved by a product of entity and relation vectors (Ji et al., ACL 2015)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from dhns.ranges import Count, NotNegative
from dhns.scorers.distance import length
from dhns.scorers.scorer import Scorer
from dhns.scorers.tiles import tiled_all, tiled_indexed


class TransD(Scorer):
    """``margin - || h' + r - t' ||`` where ``e' = e + (e_p . e) r_p``.

    An entity vector holds e, then its projection vector e_p, and a relation vector r, then r_p. A query holds the
    expected point, then r_p. It is as long as an entity, and the condition: a translation, as in Eq. 9 of DHNS.

    The paper keeps ``|e|``, ``|e'|`` and ``|r|`` at most 1. ``normalize`` makes ``|e'| = 1``, as OpenKE does; without
    it lengths are free, as for the project's TransE. Entities and relations have one dimension here.

    Args:
        dim: length of e and of r; entity and relation vectors are twice as long.
        margin: gamma, in units of distance.
        epsilon: widens the initialisation to ``+-(margin + epsilon) / dim``.
        normalize: scale moved entities to unit length.
        norm: of the distance; ``l2`` ranks all entities by matrix products.
    """

    def __init__(
        self,
        dim: Count,
        margin: NotNegative = 9.0,
        epsilon: NotNegative = 2.0,
        normalize: bool = False,
        norm: Literal["l1", "l2"] = "l1",
    ) -> None:
        super().__init__()
        self.entity_width = self.relation_width = 2 * dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim
        self.normalize = normalize
        self.norm = norm

    def inverse(self, relation: Tensor) -> Tensor:
        translation, projection = relation.chunk(2, dim=-1)
        return torch.cat([-translation, projection], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        translation, projection = relation.chunk(2, dim=-1)
        point = self._moved(_with_reach(entity), projection) + translation
        return torch.cat([point, projection.expand_as(point)], dim=-1)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return self._match(query, _with_reach(candidate))

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return tiled_indexed(self._match, query, _with_reach(table), index)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        """See `Scorer.match_all`.

        The products of ``l2`` cannot tell distances below about a thousandth of the vectors' lengths from each other.
        """
        reaching = _with_reach(table)
        if self.norm == "l1" or (torch.is_grad_enabled() and (query.requires_grad or table.requires_grad)):
            return tiled_all(self._match, query, reaching)
        point, projection = query.chunk(2, dim=-1)
        vector, reach = reaching[:, :-1], reaching[:, -1]
        # |e'|^2 and e' . point, multiplied out
        square = vector.square().sum(-1) + reach * (2 * projection @ vector.T)
        square += reach.square() * projection.square().sum(-1, keepdim=True)
        product = point @ vector.T + reach * (point * projection).sum(-1, keepdim=True)
        if self.normalize:
            product *= square.clamp(min=1e-24).rsqrt()
            square = square.new_ones(())
        square = point.square().sum(-1, keepdim=True) + square - 2 * product
        return self.margin - square.clamp(min=0).sqrt()

    def _match(self, query: Tensor, reaching: Tensor) -> Tensor:
        """`match` for candidates with their reach."""
        point, projection = query.chunk(2, dim=-1)
        return self.margin - length(self._moved(reaching, projection) - point, self.norm)

    def _moved(self, reaching: Tensor, projection: Tensor) -> Tensor:
        """``(..., dim)`` e' from entities with their reach ``(..., dim + 1)`` and r_p ``(..., dim)``."""
        moved = torch.addcmul(reaching[..., :-1], reaching[..., -1:], projection)
        return normalize(moved, dim=-1) if self.normalize else moved


def _with_reach(entity: Tensor) -> Tensor:
    """``(..., dim + 1)`` e, then how far it moves along any r_p: ``e_p . e``, all that e_p is for."""
    vector, projection = entity.chunk(2, dim=-1)
    return torch.cat([vector, (vector * projection).sum(-1, keepdim=True)], dim=-1)
