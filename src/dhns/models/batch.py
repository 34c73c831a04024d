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
    """

    head: Encoded
    relation: Tensor
    tail: Encoded

    def first(self, rows: int | None) -> EmbeddedPositives:
        """The first ``rows`` positives; batches are shuffled, so these are a random choice."""
        if rows is None or rows >= len(self.relation):
            return self
        index = torch.arange(rows, device=self.relation.device)
        return EmbeddedPositives(self.head.rows(index), self.relation[:rows], self.tail.rows(index))

    def detach(self) -> EmbeddedPositives:
        """The same values, cut from the graph."""
        head, tail = (
            Encoded(e.joint.detach(), {name: view.detach() for name, view in e.views.items()}, e.present)
            for e in (self.head, self.tail)
        )
        return EmbeddedPositives(head, self.relation.detach(), tail)

    def observed(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the observed entity: heads on side 0, where tails are generated, and vice versa."""
        return torch.stack([torch.stack([self.head.views[v], self.tail.views[v]]) for v in views])

    def replaced(self, views: Sequence[str]) -> Tensor:
        """``(V, 2, B, D)`` views of the true entity that a generated one replaces: tails on side 0, heads on side 1."""
        return torch.stack([torch.stack([self.tail.views[v], self.head.views[v]]) for v in views])

    def present(self, views: Sequence[str]) -> Tensor:
        """``(V, B)`` bool: both ends of the positive have the view."""
        return torch.stack([self.head.present[v] & self.tail.present[v] for v in views])

    def head_side(self) -> Tensor:
        """``(2, B)`` bool: false on side 0 (tails are generated), true on side 1."""
        rows = len(self.relation)
        return torch.tensor([False, True], device=self.relation.device)[:, None].expand(2, rows)


class EmbeddedQueries(NamedTuple):
    """Q distinct queries of a batch of B positives, as `KGEModel.embed` makes them.

    Attributes:
        entity: ``(Q, J)`` embeddings of the known entities.
        relation: ``(Q, R')``.
        head_side: ``(Q,)`` bool.
        row: ``(B,)`` the query that each positive answers.
        answer: ``(B,)`` the entity that it answers with.
    """

    entity: Tensor
    relation: Tensor
    head_side: Tensor
    row: Tensor
    answer: Tensor


class EmbeddedBatch(NamedTuple):
    """B positives and the tables that they were encoded into.

    Attributes:
        encoded: U entities, each distinct one once.
        relations: ``(R, R')`` the prepared relation table.
        rows: ``(B, 3)`` heads, relations and tails as rows of these tables.
    """

    encoded: Encoded
    relations: Tensor
    rows: Tensor

    def positives(self) -> EmbeddedPositives:
        """The positives in all views."""
        head, relation, tail = self.rows.unbind(1)
        return EmbeddedPositives(self.encoded.rows(head), self.relations[relation], self.encoded.rows(tail))


def score_negatives(model: KGEModel, triples: Tensor, negatives: Negatives) -> tuple[EmbeddedBatch, Tensor, Tensor]:
    """Encode positives ``(B, 3)`` and their negatives, each distinct entity once, and score them.

    The query of a positive is that of its negatives: its answer is scored as one more candidate.

    Returns:
        The batch, and the scores of its positives ``(B,)`` and of their negatives ``(B, N)``.
    """
    relations, head_side = model.relation_table(), negatives.head_side
    drawn = (negatives.entity, *(negatives.views or {}).values())
    encoded, (head, tail, candidates, *lent) = model.encode_distinct(
        triples[:, 0], triples[:, 2], *drawn, relations=relations
    )
    rows = torch.stack([head, triples[:, 1], tail], dim=1)
    query = model.embed(Queries.of(rows, head_side), encoded.joint, relations)
    answer, score = answers(rows, head_side)[:, None], model.scorer.score_candidates
    if len(negatives.entity) < len(triples):  # shared by all
        positive = score(*query, encoded.joint, answer).squeeze(1)
        negative = model.scorer.score_all(*query, embedding(candidates[0], encoded.joint))
    elif negatives.views is None:
        both = score(*query, encoded.joint, torch.cat([answer, candidates], dim=1))
        positive, negative = both[:, 0], both[:, 1:]
    else:
        positive = score(*query, encoded.joint, answer).squeeze(1)
        source = dict.fromkeys(encoded.views, candidates) | dict(zip(negatives.views, lent, strict=True))
        mixed = model.encoder.fuse(
            {name: view[source[name]] for name, view in encoded.views.items()},
            {name: mask[source[name]] for name, mask in encoded.present.items()},
        )
        own = torch.arange(candidates.numel(), device=candidates.device).view_as(candidates)
        negative = score(*query, mixed.flatten(0, 1), own)
    return EmbeddedBatch(encoded, relations, rows), positive, negative


def embed_queries(model: KGEModel, triples: Tensor, head_side: Tensor) -> tuple[EmbeddedBatch, EmbeddedQueries]:
    """Encode all entities, and embed the distinct queries of a batch.

    Args:
        model: encodes.
        triples: ``(B, 3)`` positives.
        head_side: ``(B,)`` bool, true where a positive is the answer of a query for the head.

    Returns:
        The batch, and its queries with their answers.
    """
    relations = model.relation_table()
    encoded = model.encode(None, relations)
    queries, row = Queries.of(triples, head_side).distinct(model.num_relations)
    asked = model.embed(queries, encoded.joint, relations)
    return EmbeddedBatch(encoded, relations, triples), EmbeddedQueries(*asked, row, answers(triples, head_side))
