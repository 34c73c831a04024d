"""Scores of a batch: of sampled negatives, or of all entities."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dhns.diffheg.negatives import EmbeddedPositives
from dhns.encoders.encoder import Encoded
from dhns.losses.loss import Queries
from dhns.models.kge_model import KGEModel
from dhns.negatives.sampler import Negatives


class Scored(NamedTuple):
    """A batch of B positives, embedded, and the scores of them and of N negatives each.

    Attributes:
        encoded: the entities that were encoded, each distinct one once.
        positives: the batch.
        positive: ``(B,)`` scores.
        negative: ``(B, N)`` scores.
    """

    encoded: Encoded
    positives: EmbeddedPositives
    positive: Tensor
    negative: Tensor


def score_negatives(model: KGEModel, triples: Tensor, negatives: Negatives) -> Scored:
    """Embed positives ``(B, 3)`` and their negatives, each distinct entity once, and score them."""
    scorer, relations = model.scorer, model.relation_table()
    drawn = [negatives.entity, *(negatives.views or {}).values()]
    encoded, head, tail, rows = model.encode_batch(triples, torch.cat(drawn, dim=1), relations)
    candidates, *replaced = rows.chunk(len(drawn), dim=1)
    positives = EmbeddedPositives(encoded.rows(head), relations[triples[:, 1]], encoded.rows(tail))
    head_side, sides = negatives.head_side, model.sides(negatives.head_side)
    relation = relations[model.relation_rows(triples[:, 1], head_side)]
    observed = torch.where(head_side[:, None], positives.tail.joint, positives.head.joint)
    if model.reciprocal:
        answer = torch.where(head_side, head, tail)[:, None]
        positive = scorer.score_candidates(observed, relation, sides, encoded.joint, answer).squeeze(1)
    else:
        positive = scorer(positives.head.joint, relation, positives.tail.joint)
    if negatives.views is None:
        negative = scorer.score_candidates(observed, relation, sides, encoded.joint, candidates)
    else:
        source = dict.fromkeys(encoded.views, candidates) | dict(zip(negatives.views, replaced, strict=True))
        mixed = model.encoder.fuse(
            {name: view[source[name]] for name, view in encoded.views.items()},
            {name: mask[source[name]] for name, mask in encoded.present.items()},
        )
        rows = torch.arange(candidates.numel(), device=candidates.device).view_as(candidates)
        negative = scorer.score_candidates(observed, relation, sides, mixed.flatten(0, 1), rows)
    return Scored(encoded, positives, positive, negative)


def embed_queries(model: KGEModel, triples: Tensor, head_side: Tensor) -> tuple[Encoded, EmbeddedPositives, Queries]:
    """Encode all entities, and embed the distinct queries of a batch.

    Args:
        model: encodes.
        triples: ``(B, 3)`` positives.
        head_side: ``(B,)`` bool, true where a positive is the answer of a query for the head.

    Returns:
        All entities, the positives, and the queries with their answers.
    """
    relations = model.relation_table()
    encoded = model.encode(None, relations)
    head, relation, tail = triples.unbind(1)
    observed, answer = torch.where(head_side, tail, head), torch.where(head_side, head, tail)
    key = (observed * model.num_relations + relation) * 2 + head_side
    distinct, row = torch.unique(key, return_inverse=True)
    side = distinct % 2 == 1
    entity = distinct // 2 // model.num_relations
    asked = relations[model.relation_rows(distinct // 2 % model.num_relations, side)]
    positives = EmbeddedPositives(encoded.rows(head), relations[relation], encoded.rows(tail))
    return encoded, positives, Queries(encoded.joint[entity], asked, model.sides(side), row, answer)
