"""A batch, embedded and scored: positives with sampled negatives, or queries for all entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from dhns.encoders.encoder import Encoded
from dhns.graph.queries import Queries, answers
from dhns.models.kge_model import KGEModel
from dhns.models.own_entity import raise_own
from dhns.scorers.scorer import Scorer


class Negatives(NamedTuple):
    """N wrong answers to a query of each of B positives.

    Attributes:
        queries: B; which side of a positive is corrupted.
        entity: ``(B, N)`` ids that replace the answer; ``(1, N)`` where all positives share them.
        views: ``(B, N)`` ids by view name, for views that come from another entity than ``entity``.
        weight: ``(B, N)`` factors of the negatives' terms in the loss; their gradients train the sampler.
        loss: the sampler's own loss, which must not reach the model: what it takes from the model is detached.
    """

    queries: Queries
    entity: Tensor
    views: Mapping[str, Tensor] | None = None
    weight: Tensor | None = None
    loss: Tensor | None = None

    @property
    def head_side(self) -> Tensor:
        """``(B,)`` bool, true where the head is replaced."""
        return self.queries.head_side


@dataclass(frozen=True)
class EmbeddedPositives:
    """B positives, embedded.

    Attributes:
        head, tail: all views and the joint embedding, ``(B, D)`` each.
        relation: ``(B, R)``.
        reciprocal: ``(B, R)`` by which tails ask for heads, where that is no inverse that the scorer makes.
    """

    head: Encoded
    relation: Tensor
    tail: Encoded
    reciprocal: Tensor | None = None

    def asking(self, scorer: Scorer) -> Tensor:
        """``(2, B, R)`` the relations by which tails (side 0) and heads (side 1) are asked for as tails are."""
        back = scorer.inverse(self.relation) if self.reciprocal is None else self.reciprocal
        return torch.stack([self.relation, back])

    def first(self, rows: int | None) -> EmbeddedPositives:
        """The first ``rows`` positives; batches are shuffled, so these are a random choice."""
        if rows is None or rows >= len(self.relation):
            return self
        index = torch.arange(rows, device=self.relation.device)
        back = None if self.reciprocal is None else self.reciprocal[:rows]
        return EmbeddedPositives(self.head.rows(index), self.relation[:rows], self.tail.rows(index), back)

    def detach(self) -> EmbeddedPositives:
        """The same values, cut from the graph."""
        head, tail = (
            Encoded(e.joint.detach(), {name: view.detach() for name, view in e.views.items()}, e.present)
            for e in (self.head, self.tail)
        )
        back = None if self.reciprocal is None else self.reciprocal.detach()
        return EmbeddedPositives(head, self.relation.detach(), tail, back)

    def observed(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the observed entity: heads on side 0, where tails are generated, and vice versa."""
        return torch.stack([torch.stack([self.head.views[v], self.tail.views[v]]) for v in views])

    def replaced(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the true entity that a generated one replaces: tails on side 0, heads on side 1."""
        return torch.stack([torch.stack([self.tail.views[v], self.head.views[v]]) for v in views])

    def present(self, views: Sequence[str]) -> Tensor:
        """``(V, B)`` bool: both ends of the positive have the view."""
        return torch.stack([self.head.present[v] & self.tail.present[v] for v in views])


class EmbeddedQueries(NamedTuple):
    """Q distinct queries of a batch of B positives, as `KGEModel.embed` makes them.

    Attributes:
        entity: ``(Q, J)`` embeddings of the known entities.
        relation: ``(Q, R')``.
        head_side: ``(Q,)`` bool.
        row: ``(B,)`` the query that each positive answers.
        answer: ``(B,)`` the entity that it answers with.
        own: ``(Q,)`` ids of the known entities, whose scores as answers are raised; None if they are not.
        raised: ``(Q,)`` by what.
    """

    entity: Tensor
    relation: Tensor
    head_side: Tensor
    row: Tensor
    answer: Tensor
    own: Tensor | None = None
    raised: Tensor | None = None

    def score_all(self, scorer: Scorer, table: Tensor) -> Tensor:
        """``(Q, E)`` scores of every row of ``table`` ``(E, J)``."""
        scores = scorer.score_all(self.entity, self.relation, self.head_side, table)
        return scores if self.own is None or self.raised is None else raise_own(scores, self.own, self.raised)


class ScoredNegatives(NamedTuple):
    """Scores of B positives and of their N negatives.

    Attributes:
        batch: their embeddings.
        positive: ``(B,)``.
        negative: ``(B, N)``.
        own_loss: of the numbers for the own entity, see `OwnEntity.loss`; None without them.
    """

    batch: EmbeddedBatch
    positive: Tensor
    negative: Tensor
    own_loss: Tensor | None = None


class EmbeddedBatch(NamedTuple):
    """B positives and the tables that they were encoded into.

    Attributes:
        encoded: U entities, each distinct one once.
        relations: ``(R, R')`` the prepared relation table.
        rows: ``(B, 3)`` heads, relations and tails as rows of these tables.
        reciprocal: how many rows of the relation table further on the reciprocal relations are; None if there are none.
    """

    encoded: Encoded
    relations: Tensor
    rows: Tensor
    reciprocal: int | None = None

    def positives(self) -> EmbeddedPositives:
        """The positives in all views."""
        head, relation, tail = self.rows.unbind(1)
        back = None if self.reciprocal is None else embedding(relation + self.reciprocal, self.relations)
        return EmbeddedPositives(
            self.encoded.rows(head), embedding(relation, self.relations), self.encoded.rows(tail), back
        )


def score_negatives(model: KGEModel, triples: Tensor, negatives: Negatives) -> ScoredNegatives:
    """Encode positives ``(B, 3)`` and their negatives, each distinct entity once, and score them.

    The query of a positive is that of its negatives: its answer is scored as one more candidate, and so is its own
    entity where the model has a number for that.
    """
    relations, head_side, own_entity = model.relation_table(), negatives.head_side, model.own_entity
    drawn = (negatives.entity, *(negatives.views or {}).values())
    encoded, (head, tail, candidates, *lent) = model.encode_distinct(
        triples[:, 0], triples[:, 2], *drawn, relations=relations
    )
    rows = torch.stack([head, triples[:, 1], tail], dim=1)
    asked, answer, score = Queries.of(rows, head_side), answers(rows, head_side), model.scorer.score_candidates
    query = model.embed(asked, encoded.joint, relations)
    first = torch.stack([answer] if own_entity is None else [answer, asked.entity], dim=1)
    if len(negatives.entity) < len(triples):  # shared by all
        known = score(*query, encoded.joint, first)
        negative = model.scorer.score_all(*query, embedding(candidates[0], encoded.joint))
    elif negatives.views is None:
        both = score(*query, encoded.joint, torch.cat([first, candidates], dim=1))
        known, negative = both[:, : first.shape[1]], both[:, first.shape[1] :]
    else:
        known = score(*query, encoded.joint, first)
        source = dict.fromkeys(encoded.views, candidates) | dict(zip(negatives.views, lent, strict=True))
        mixed = model.encoder.fuse(
            {name: embedding(source[name], view) for name, view in encoded.views.items()},
            {name: mask[source[name]] for name, mask in encoded.present.items()},
        )
        own = torch.arange(candidates.numel(), device=candidates.device).view_as(candidates)
        negative = score(*query, mixed.flatten(0, 1), own)
    batch, positive = EmbeddedBatch(encoded, relations, rows, model.reciprocal_offset), known[:, 0]
    if own_entity is None:
        return ScoredNegatives(batch, positive, negative)
    queries, answer = negatives.queries, answers(triples, head_side)
    own_loss = own_entity.loss(queries, known[:, 1], answer, torch.cat([known[:, :1], negative], dim=1))
    positive = own_entity.raise_candidates(positive[:, None], queries, answer[:, None])[:, 0]
    negative = own_entity.raise_candidates(negative, queries, negatives.entity)
    return ScoredNegatives(batch, positive, negative, own_loss)


def embed_queries(
    model: KGEModel, triples: Tensor, head_side: Tensor, distinct: tuple[Queries, Tensor] | None = None
) -> tuple[EmbeddedBatch, EmbeddedQueries]:
    """Encode all entities, and embed the distinct queries of a batch.

    Args:
        model: encodes.
        triples: ``(B, 3)`` positives.
        head_side: ``(B,)`` bool, true where a positive is the answer of a query for the head.
        distinct: the Q distinct queries and ``(B,)`` which of them each positive answers, if they are at hand: to find
            them, the program has to wait for an accelerator.

    Returns:
        The batch, and its queries with their answers.
    """
    relations = model.relation_table()
    encoded = model.encode(None, relations)
    queries, row = distinct or Queries.of(triples, head_side).distinct(model.num_relations)
    asked = model.embed(queries, encoded.joint, relations)
    own = () if model.own_entity is None else (queries.entity, model.own_entity(queries))
    return EmbeddedBatch(encoded, relations, triples, model.reciprocal_offset), EmbeddedQueries(
        *asked, row, answers(triples, head_side), *own
    )
