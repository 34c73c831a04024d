"""What every scorer shares: a triple is scored by matching a query point against candidate entities.

Shapes: B batch, N candidates of a query, E rows of an entity table, D entity width, R relation width, Q query width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from dhns.errors import InputError
from dhns.kernels.pairs import measure_pairs
from dhns.scorers.tiles import matched_all


class Scorer(nn.Module, ABC):
    """Score of ``(h, r, t)`` as the match of ``query(h, r)`` with ``t``.

    All four families of the paper factor in this way, and the head side is the tail side of the inverse relation:
    ``score(h, r, t) = match(query(h, r), t) = match(query(t, inverse(r)), h)``. A scorer is therefore three formulas:
    `inverse`, `query` and `match`.

    A subclass may also override `initial_relations`, `prepare`, `condition` (it must where queries are wider than
    entities), `magnitudes`, `factors`, and, to be quicker or to take less memory, `match_indexed` and `match_all`; all
    paths give a triple the same score. Where relations are zero, a distance between equal entities is zero.
    `dhns.testing.check_scorer` holds it to this.

    Attributes:
        entity_width: D, the length of an entity vector.
        relation_width: R, the length of a relation vector.
        init_range: half-width of the uniform initialisation of entities and relations.
        margin: gamma of a distance scorer, 0 for a similarity; already part of the score.
    """

    entity_width: int
    relation_width: int
    init_range: float
    margin: float = 0.0

    def initial_relations(self, count: int) -> Tensor:
        """``(count, R)`` values that a relation table starts from."""
        return torch.empty(count, self.relation_width).uniform_(-self.init_range, self.init_range)

    def prepare(self, relations: Tensor) -> Tensor:
        """``(relations, R')`` what queries need of the relation table ``(relations, R)``, computed once per step.

        All other methods take rows of what this returns as relations. A scorer whose relations are costly to make, such
        as orthonormal matrices, makes them here.
        """
        return relations

    def magnitudes(self, vector: Tensor) -> Tensor:
        """Sizes of the numbers that a vector ``(..., D)`` or ``(..., R)`` holds, for regularisers such as N3."""
        return vector.abs()

    @abstractmethod
    def inverse(self, relation: Tensor) -> Tensor:
        """``(..., R)`` vector of the inverse relation, by which a tail asks for its head."""

    @abstractmethod
    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        """``(..., Q)`` point at which the missing entity is expected, from entities ``(..., D)``.

        Q is D unless candidates have to be transformed by the relation: then the query carries what `match` needs, and
        the scorer has its own `condition`.
        """

    @abstractmethod
    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        """``(...)`` score of candidates ``(..., D)`` against queries ``(..., Q)``, which broadcast."""

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        """``C(e, r)`` of Eqs. 7-9: what the generator knows of the entity that it imitates.

        The query itself is the condition of its family: a rotation (Eq. 7), a product (Eq. 8), a translation (Eq. 9).

        Args:
            entity: ``(B, D)`` the known entity, in one modality.
            relation: ``(B, R)``.
            head_side: ``(B,)`` bool, true where the head is to be generated.

        Returns:
            ``(B, D)``.
        """
        return self.query(entity, self.directed(relation, head_side))

    def directed(self, relation: Tensor, head_side: Tensor) -> Tensor:
        """Relations ``(B, R)``, inverted in the rows of ``head_side`` ``(B,)`` where the head is asked for."""
        return torch.where(head_side[:, None], self.inverse(relation), relation)

    def forward(self, head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
        """``(...)`` scores of triples whose parts broadcast over leading dimensions."""
        return self.match(self.query(head, relation), tail)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        """``(B, N)`` scores of the rows ``index`` ``(B, N)`` of ``table`` ``(E, D)`` against queries ``(B, Q)``."""
        return self.match(query[:, None], embedding(index, table))

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        """``(B, E)`` scores of every row of ``table`` ``(E, D)`` against queries ``(B, Q)``."""
        return matched_all(self.match, query, table)

    def factors(self, query: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        """``(B, F)`` and ``(E, F)`` vectors whose inner products are `match_all` of ``query`` and ``table``.

        Raises:
            InputError: the score is no inner product, for any F that does not grow with E.
        """
        raise InputError(
            f"the score of {type(self).__name__} is no inner product, which loss=non_sampling needs: choose scorer="
            "distmult, complex, quate or rescal, or scorer=transe scorer.norm=l2_squared, or another loss"
        )

    def score_candidates(
        self, entity: Tensor, relation: Tensor, head_side: Tensor, table: Tensor, index: Tensor
    ) -> Tensor:
        """``(B, N)`` scores of candidate rows for queries of either side.

        Args:
            entity: ``(B, D)`` the known entity.
            relation: ``(B, R)``.
            head_side: ``(B,)`` bool, true where the candidates are heads.
            table: ``(E, D)`` encoded entities.
            index: ``(B, N)`` rows of ``table``.
        """
        return self.match_indexed(self.query(entity, self.directed(relation, head_side)), table, index)

    def score_all(self, entity: Tensor, relation: Tensor, head_side: Tensor, table: Tensor) -> Tensor:
        """``(B, E)`` scores of every row of ``table`` for queries of either side; see `score_candidates`."""
        return self.match_all(self.query(entity, self.directed(relation, head_side)), table)


class SimilarityScorer(Scorer):
    """A scorer whose match is an inner product, so that all entities are one matrix product."""

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        return (query * candidate).sum(-1)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return measure_pairs(query, table, index, "product")

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return query @ table.T

    def factors(self, query: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
        return query, table


def moduli(vector: Tensor, parts: int) -> Tensor:
    """``(..., dim)`` norms of the hypercomplex numbers in ``(..., parts * dim)``, all first parts coming first.

    `torch.linalg.vector_norm` over so short a dimension is ten times slower on a processor. The floor keeps the
    gradient finite at zero.
    """
    squares = vector.reshape(*vector.shape[:-1], parts, -1).square().sum(-2)
    return squares.clamp_min(torch.finfo(vector.dtype).tiny).sqrt()
