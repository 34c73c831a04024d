"""GC-OTE: OTE that also compares predictions with what the neighbours of an entity predict (Tang et al., ACL 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.scorers.ote import OTE, Relation, anchor, matrix, rotate


class GCOTE(OTE):
    """``margin`` minus the mean of four distances: of each end's prediction to the other end and its context.

    An entity comes with its context, as `dhns.encoders.graph_context.GraphContext` joins them: ``(..., 3 D + 2)``, the
    entity, what it is as a tail of its neighbours' edges, what it is as a head, and how many edges made the one and the
    other. The distance to the context of the known end is, as in `OTE`, taken where candidates need not be rotated.

    A bare entity ``(..., D)`` is its own context. A bare query is that of `OTE`, to the last bit.

    In training, the score of a triple leaves its own edge out of the two contexts that contain it: the context is a
    mean of n edges and the entity, so that without the edge the distance of the edge's prediction is (n + 1) / n times
    as long.

    Departures from the paper:
        Those of `OTE`. The authors' code removes the edges of the whole batch from all contexts of a step; here a
        positive is scored without its own edge, and its negatives with it. An entity with more edges than the encoder
        samples is treated as if the edge were in the sample: a factor of at most ``1 + 1 / max_neighbours``.

    Args:
        dim, group, margin, epsilon: see `OTE`; the margin is in units of one of the four distances.
    """

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        if entity.shape[-1] == self.entity_width:
            return super().query(entity, relation)
        parts = self._parts(relation)
        own, as_tail, as_head = self._vectors(entity)
        prediction = rotate(matrix(parts), own)
        # a head asks by its context as a head, a tail by its context as a tail
        context = anchor(torch.where(parts.inverse, as_tail, as_head), parts)
        return self._query([prediction, anchor(own, parts), prediction, context], relation)

    def forward(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        if not self.training or self.entity_width in (head.shape[-1], tail.shape[-1]):
            return super().forward(head, relation, tail)
        distances = self._distances(self.query(head, relation), tail)
        edges_of_tail, edges_of_head = tail[..., -2].clamp(min=1), head[..., -1].clamp(min=1)
        distances[2] = distances[2] * (1 + 1 / edges_of_tail)
        distances[3] = distances[3] * (1 + 1 / edges_of_head)
        return self.margin - torch.stack(distances).mean(0)

    def _vectors(self, entity: Tensor) -> list[Tensor]:
        """The entity; and its contexts as a tail and as a head, if it comes with them."""
        if entity.shape[-1] == self.entity_width:
            return super()._vectors(entity)
        return [self._groups(vector) for vector in entity[..., :-2].chunk(3, dim=-1)]

    def _targets(self, relation: Relation, vectors: list[Tensor]) -> list[Tensor]:
        """Those of `OTE`; the candidate's context for the prediction, the moved candidate for the known context."""
        candidate, moved = super()._targets(relation, vectors)
        context = candidate if len(vectors) == 1 else torch.where(relation.inverse, vectors[2], vectors[1])
        return [candidate, moved, context, moved]
