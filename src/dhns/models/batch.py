"""A batch, embedded and scored: positives with sampled negatives, or queries for all entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from dhns.encoders.encoder import Encoded
from dhns.models.kge_model import KGEModel


class Negatives(NamedTuple):
    """N corrupted triples for each of B positives; all of one positive are corrupted on the same side.

    Attributes:
        entity: ``(B, N)`` ids that replace the head or the tail; ``(1, N)`` where all positives share them.
        head_side: ``(B,)`` bool, true where the head is replaced.
        views: ``(B, N)`` ids by view name, for views that come from another entity than ``entity``.
        weight: ``(B, N)`` factors of the negatives' terms in the loss; their gradients train the sampler.
        loss: the sampler's own loss, which must not reach the model: what it takes from the model is detached.
    """

    entity: Tensor
    head_side: Tensor
    views: Mapping[str, Tensor] | None = None
    weight: Tensor | None = None
    loss: Tensor | None = None


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
    """Q distinct queries of a batch of B positives, embedded.

    Attributes:
        entity: ``(Q, J)`` embeddings of the known entities.
        relation: ``(Q, R')``.
        head_side: ``(Q,)`` bool, as the scorer sees it.
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
    relations = model.relation_table()
    drawn = [negatives.entity, *(negatives.views or {}).values()]
    encoded, head, tail, rows = model.encode_batch(triples, torch.cat(drawn, dim=1), relations)
    candidates, *replaced = rows.chunk(len(drawn), dim=1)
    head_side, sides = negatives.head_side, model.sides(negatives.head_side)
    observed, answer = torch.where(head_side, tail, head), torch.where(head_side, head, tail)[:, None]
    query = (
        embedding(observed, encoded.joint),
        embedding(model.relation_rows(triples[:, 1], head_side), relations),
        sides,
    )
    score = model.scorer.score_candidates
    if len(negatives.entity) < len(triples):  # shared by all
        positive = score(*query, encoded.joint, answer).squeeze(1)
        negative = model.scorer.score_all(*query, embedding(candidates[0], encoded.joint))
    elif negatives.views is None:
        both = score(*query, encoded.joint, torch.cat([answer, candidates], dim=1))
        positive, negative = both[:, 0], both[:, 1:]
    else:
        positive = score(*query, encoded.joint, answer).squeeze(1)
        source = dict.fromkeys(encoded.views, candidates) | dict(zip(negatives.views, replaced, strict=True))
        mixed = model.encoder.fuse(
            {name: view[source[name]] for name, view in encoded.views.items()},
            {name: mask[source[name]] for name, mask in encoded.present.items()},
        )
        own = torch.arange(candidates.numel(), device=candidates.device).view_as(candidates)
        negative = score(*query, mixed.flatten(0, 1), own)
    return EmbeddedBatch(encoded, relations, torch.stack([head, triples[:, 1], tail], dim=1)), positive, negative


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
    head, relation, tail = triples.unbind(1)
    observed, answer = torch.where(head_side, tail, head), torch.where(head_side, head, tail)
    key = (observed * model.num_relations + relation) * 2 + head_side
    distinct, row = torch.unique(key, return_inverse=True)
    side = distinct % 2 == 1
    entity = distinct // 2 // model.num_relations
    asked = embedding(model.relation_rows(distinct // 2 % model.num_relations, side), relations)
    queries = EmbeddedQueries(embedding(entity, encoded.joint), asked, model.sides(side), row, answer)
    return EmbeddedBatch(encoded, relations, triples), queries
