"""HAKE: depth in a hierarchy by moduli, place at one depth by phases (Zhang et al., AAAI 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dhns.ranges import Count, NotNegative
from dhns.scorers.distance import length
from dhns.scorers.scorer import Scorer
from dhns.scorers.tiles import tiled_indexed


class HAKE(Scorer):
    """``margin - w_m |m_h r - m_t| - w_p b sum |sin((p_h + q - p_t) pi / 2 b)|``, with b the range in which all start.

    An entity is ``[moduli m ; phases p]``, a relation ``[logarithms of its moduli r ; turns q]``. The head side has the
    same score: a prepared relation says by what the known end and by what the candidate is scaled, ``(r, 1)`` for tails
    and ``(1, r)`` for heads.

    Departures from the paper: a relation's moduli are exponentials, where the authors' code takes absolute values, so
    that a relation of zeros is the identity; their mixture bias and their learned weights are left out.

    Args:
        dim: numbers of moduli, and of phases.
        margin: gamma, in units of distance.
        epsilon: entities and relations start in +-b, which is (margin + epsilon) / dim.
        modulus_weight: w_m.
        phase_weight: w_p.
    """

    def __init__(
        self,
        dim: Count,
        margin: NotNegative = 9.0,
        epsilon: NotNegative = 2.0,
        modulus_weight: NotNegative = 1.0,
        phase_weight: NotNegative = 0.5,
    ) -> None:
        super().__init__()
        self.entity_width = self.relation_width = 2 * dim
        self.margin = margin
        self.init_range = (margin + epsilon) / dim
        self.modulus_weight, self.phase_weight = modulus_weight, phase_weight

    def prepare(self, relations: Tensor) -> Tensor:
        """``(relations, 3 dim)``: the scale of the known end, that of candidates, and the turn."""
        logarithm, turn = relations.chunk(2, dim=-1)
        scale = logarithm.exp()
        return torch.cat([scale, torch.ones_like(scale), turn], dim=-1)

    def inverse(self, relation: Tensor) -> Tensor:
        known, candidate, turn = relation.chunk(3, dim=-1)
        return torch.cat([candidate, known, -turn], dim=-1)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        """``(..., 3 dim)``: scaled moduli, turned phases, and the scale of candidates."""
        modulus, phase = entity.chunk(2, dim=-1)
        known, candidate, turn = relation.chunk(3, dim=-1)
        scaled = modulus * known
        return torch.cat([scaled, phase + turn, candidate.expand_as(scaled)], dim=-1)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        scaled, turned, scale = query.chunk(3, dim=-1)
        modulus, phase = candidate.chunk(2, dim=-1)
        # phases fill the circle when they fill the range in which they start
        angle = (turned - phase) * (math.pi / self.init_range)
        depth, place = length(scaled - modulus * scale, "l2"), (angle / 2).sin().abs().sum(-1)
        return self.margin - self.modulus_weight * depth - self.phase_weight * self.init_range * place

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        # by tiles, so that a step does not hold the differences of all pairs
        return tiled_indexed(self.match, query, table, index)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        """The entity at which the distance is zero."""
        scaled, turned, scale = self.query(entity, self.directed(relation, head_side)).chunk(3, dim=-1)
        return torch.cat([scaled / scale, turned], dim=-1)
