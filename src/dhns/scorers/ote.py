"""OTE: a relation rotates the head in blocks of coordinates (Tang et al., ACL 2020)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from dhns.errors import InputError
from dhns.kernels.chunks import chunk_bytes
from dhns.ranges import Count, NotNegative
from dhns.scorers.scorer import Scorer
from dhns.scorers.tiles import tiled_all, tiled_indexed


class Relation(NamedTuple):
    """Of prepared relations: ``Q`` ``(..., K, g, g)``, ``s`` ``(..., K, g)``, and the direction ``(..., 1, 1)``."""

    rotation: Tensor
    log_scale: Tensor
    inverse: Tensor


class OTE(Scorer):
    """``margin - (d((h, r), t) + d((r, t), h)) / 2``, distances between what one end predicts and the other end.

    Vectors are cut into groups of ``group`` coordinates. A relation has an orthonormal matrix ``Q`` per group, the
    Gram-Schmidt form of a learned one, and a learned log-scale ``s`` per coordinate. The head predicts ``e^s Q h``,
    the tail ``Q' e^-s t``; a distance is the sum over groups of Euclidean norms.

    Since ``Q`` keeps norms, the second distance is that of ``e^-s t`` and ``Q h``: candidate tails are not rotated at
    all. Candidate heads are, for the first distance; a ranking rotates the entity table once per distinct relation.

    Shapes: K groups of g coordinates, D = K g; a relation holds its K matrices, then D log-scales; a prepared one the
    orthonormal matrices, the log-scales, and its number in the table, counted from 1 and negative for the inverse.

    Departures from the paper:
        The tail predicts by the exact inverse of the head's map, so that both distances vanish together. The authors
        scale on the same side of the rotation in both directions (their code: ``Q e^s h`` and ``Q' e^-s t``), which is
        the inverse only if all scales of a group are equal. The two distances are averaged, as their code averages the
        four of GC-OTE; it scores plain OTE by one of the two, that of the side asked for, so that a triple has two
        scores. Learned matrices start as Gaussian ones orthonormalised, not as uniform numbers in [0, 1], whose first
        vectors are all alike; entities not in +-0.01.

    Args:
        dim: D, length of entity vectors.
        group: g, must divide ``dim``; a vector shorter than this is one group.
        margin: gamma, in units of one distance.
        epsilon: entities are initialised uniformly, such that distances start near ``margin + epsilon``.

    Raises:
        InputError: ``group`` does not divide ``dim``.
    """

    def __init__(self, dim: Count, group: Count = 20, margin: NotNegative = 9.0, epsilon: NotNegative = 2.0) -> None:
        super().__init__()
        self.group = min(group, dim)
        if self.group < 1 or dim % self.group:
            divisors = ", ".join(str(g) for g in range(1, dim + 1) if dim % g == 0)
            raise InputError(f"scorer.group is {group}, which does not divide scorer.dim {dim}; choose from {divisors}")
        self.entity_width = dim
        self.relation_width = dim * self.group + dim
        self.margin = margin
        # K norms of g differences, each of which has twice the variance of a coordinate, init_range^2 / 3
        self.init_range = (margin + epsilon) * math.sqrt(1.5 * self.group) / dim

    def initial_relations(self, count: int) -> Tensor:
        rotations = _orthonormal(torch.randn(count, self.entity_width // self.group, self.group, self.group))
        return torch.cat([rotations.flatten(1), torch.zeros(count, self.entity_width)], dim=1)

    def prepare(self, relations: Tensor) -> Tensor:
        matrices, log_scale = relations[:, : -self.entity_width], relations[:, -self.entity_width :]
        rotations = _orthonormal(matrices.view(len(relations), -1, self.group, self.group)).flatten(1)
        number = torch.arange(1, len(relations) + 1, dtype=relations.dtype, device=relations.device)
        return torch.cat([rotations, log_scale, number[:, None]], dim=1)

    def inverse(self, relation: Tensor) -> Tensor:
        return torch.cat([relation[..., :-1], -relation[..., -1:]], dim=-1)

    def predict(self, entity: Tensor, relation: Tensor) -> Tensor:
        """``(..., D)`` the other end as entities ``(..., D)`` expect it: ``e^s Q h``, or ``Q' e^-s t`` if inverse."""
        return rotate(matrix(self._parts(relation)), self._vectors(entity)[0]).flatten(-2)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        """``(..., Q)``: the prediction, the anchor to compare moved candidates with, and the prepared relation."""
        own, parts = self._vectors(entity)[0], self._parts(relation)
        return self._query([rotate(matrix(parts), own), anchor(own, parts)], relation)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        return self.predict(entity, self.directed(relation, head_side))

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return self.margin - torch.stack(self._distances(query, candidate)).mean(0)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        # sorted, so that tiles that ask for tails only need not rotate
        order = query[:, -1].argsort()
        score = tiled_indexed(self.match, embedding(order, query), table, index[order])
        return torch.empty_like(score).index_copy(0, order, score)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        if torch.is_grad_enabled() and (query.requires_grad or table.requires_grad):
            # sorted, as in `match_indexed`
            order = query[:, -1].argsort()
            score = tiled_all(self.match, embedding(order, query), table)
            return torch.empty_like(score).index_copy(0, order, score)
        score = query.new_empty(len(query), len(table))
        # each group's rows side by side in memory: rotations are matrix products then, without copies
        vectors = [vector.transpose(0, 1).contiguous().transpose(0, 1) for vector in self._vectors(table)]
        for number in torch.unique(query[:, -1]):
            rows = (query[:, -1] == number).nonzero()[:, 0]
            points, relation = self._unpack(query[rows])
            pairs = zip(points, self._targets(self._parts(relation[0]), vectors), strict=False)
            score[rows] = self.margin - torch.stack([self._all_distances(*pair) for pair in pairs]).mean(0)
        return score

    # A query is a row of points, which are compared with as many targets, and then the relation. Below, the points,
    # targets and entities are in groups, ``(..., K, g)``.

    def _query(self, points: list[Tensor], relation: Tensor) -> Tensor:
        parts = [*(point.flatten(-2) for point in points), relation]
        shape = torch.broadcast_shapes(*(part.shape[:-1] for part in parts))  # type: ignore[no-untyped-call]
        return torch.cat([part.expand(*shape, -1) for part in parts], dim=-1)

    def _unpack(self, query: Tensor) -> tuple[list[Tensor], Tensor]:
        """The points, and the prepared relation."""
        count = (query.shape[-1] - self.relation_width - 1) // self.entity_width
        *points, relation = query.split_with_sizes([self.entity_width] * count + [self.relation_width + 1], dim=-1)
        return [self._groups(point) for point in points], relation

    def _distances(self, query: Tensor, candidate: Tensor) -> list[Tensor]:
        """``(...)`` distance of each point to its target."""
        points, relation = self._unpack(query)
        pairs = zip(points, self._targets(self._parts(relation), self._vectors(candidate)), strict=False)
        return [torch.linalg.vector_norm(point - target, dim=-1).sum(-1) for point, target in pairs]

    def _vectors(self, entity: Tensor) -> list[Tensor]:
        """The vectors that an entity consists of."""
        return [self._groups(entity)]

    def _targets(self, relation: Relation, vectors: list[Tensor]) -> list[Tensor]:
        """The candidate, for the prediction; for the anchor ``Q h``, ``e^-s t``; for the anchor ``t``, ``e^s Q h``."""
        candidate = vectors[0]
        if not relation.inverse.any():
            return [candidate, candidate * (-relation.log_scale).exp()]
        rotated = rotate(relation.rotation * relation.log_scale.exp()[..., None], candidate)
        if relation.inverse.all():
            return [candidate, rotated]
        return [candidate, torch.where(relation.inverse, rotated, candidate * (-relation.log_scale).exp())]

    def _all_distances(self, point: Tensor, target: Tensor) -> Tensor:
        """``(B, E)`` distances of ``(B, K, g)`` and ``(E, K, g)``, a chunk of the targets at a time."""
        points, targets = point.transpose(0, 1), target.transpose(0, 1)
        columns = max(1, chunk_bytes(point) // (point[..., 0].numel() * point.element_size()))
        # the mode that multiplies matrices would lose small distances to rounding
        mode = "donot_use_mm_for_euclid_dist"
        chunks = [
            torch.cdist(points, targets[:, start : start + columns], compute_mode=mode).sum(0)
            for start in range(0, len(target), columns)
        ]
        return torch.cat(chunks, dim=1)

    def _parts(self, relation: Tensor) -> Relation:
        widths = [self.relation_width - self.entity_width, self.entity_width, 1]
        rotation, log_scale, number = relation.split_with_sizes(widths, dim=-1)
        rotation = rotation.reshape(*rotation.shape[:-1], -1, self.group, self.group)
        return Relation(rotation, self._groups(log_scale), number[..., None] < 0)

    def _groups(self, vector: Tensor) -> Tensor:
        return vector.reshape(*vector.shape[:-1], -1, self.group)


def rotate(blocks: Tensor, groups: Tensor) -> Tensor:
    """``(..., K, g)``: matrices ``(..., K, g, g)`` times vectors ``(..., K, g)``, which broadcast without copies."""
    product: Tensor = torch.einsum("...kij,...kj->...ki", blocks, groups)
    return product


def matrix(relation: Relation) -> Tensor:
    """By which an end predicts the other: ``e^s Q``, or ``Q' e^-s`` if inverse."""
    scaled = relation.rotation * relation.log_scale.exp()[..., None]
    inverse = relation.rotation * (-relation.log_scale).exp()[..., None]
    return torch.where(relation.inverse[..., None], inverse.mT, scaled)


def anchor(own: Tensor, relation: Relation) -> Tensor:
    """``Q h``, with which ``e^-s t`` is compared; or ``t``, with which ``e^s Q h`` is."""
    return torch.where(relation.inverse, own, rotate(relation.rotation, own))


def _orthonormal(matrix: Tensor) -> Tensor:
    """Gram-Schmidt on the columns of matrices ``(..., g, g)``, which have to be of full rank."""
    basis, triangle = torch.linalg.qr(matrix)
    # Householder's method leaves the signs open; those of Gram-Schmidt do not jump while the matrix is learned
    signs = torch.where(triangle.diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(matrix.dtype)
    orthonormal: Tensor = basis * signs[..., None, :]
    return orthonormal
