"""Scores of a batch: of sampled negatives, or of all entities."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding

from dhns.diffheg.negatives import EmbeddedPositives
from dhns.encoders.encoder import Encoded
from dhns.losses.loss import Queries
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import Negatives


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


def embed_queries(model: KGEModel, triples: Tensor, head_side: Tensor) -> tuple[EmbeddedBatch, Queries]:
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
    queries = Queries(embedding(entity, encoded.joint), asked, model.sides(side), row, answer)
    return EmbeddedBatch(encoded, relations, triples), queries
