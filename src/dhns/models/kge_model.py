"""Encoder + scorer + relation embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import Encoded, EntityEncoder, uniform_parameter
from dhns.scorers.scorer import Scorer


class KGEModel(nn.Module):
    """A knowledge graph embedding model: scores triples of entity and relation ids.

    Args:
        encoder: entity ids to embeddings.
        scorer: embeddings to scores.
        num_relations: size of the relation table, which the model owns.
    """

    def __init__(self, encoder: EntityEncoder, scorer: Scorer, num_relations: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.scorer = scorer
        self.relations = uniform_parameter(num_relations, scorer.relation_width, scorer.init_range)

    def encode_batch(self, triples: Tensor, candidates: Tensor) -> tuple[Encoded, Tensor, Tensor, Tensor]:
        """Encode every *distinct* entity of a batch once.

        Args:
            triples: ``(B, 3)``.
            candidates: ``(B, N)`` entity ids.

        Returns:
            The encoded entities, and which of them are the heads ``(B,)``, tails ``(B,)`` and candidates ``(B, N)``.
        """
        ids = torch.cat([triples[:, 0], triples[:, 2], candidates.flatten()])
        distinct, row = torch.unique(ids, return_inverse=True)
        head, tail, candidate = row.split([len(triples), len(triples), candidates.numel()])
        return self.encoder(distinct), head, tail, candidate.view_as(candidates)

    def score_triples(self, triples: Tensor) -> Tensor:
        """``(B,)`` scores of triples ``(B, 3)`` of ids."""
        encoded, head, tail, _ = self.encode_batch(triples, triples[:, :0])
        score: Tensor = self.scorer(encoded.joint[head], self.relations[triples[:, 1]], encoded.joint[tail])
        return score

    def score_all(self, entity: Tensor, relation: Tensor, head_side: Tensor, table: Tensor | None = None) -> Tensor:
        """``(B, E)`` scores of every entity as the answer of queries ``(B,)`` of ids.

        Args:
            entity: ids of the known entities.
            relation: ids.
            head_side: true where the head is asked for.
            table: ``(E, D)`` joint embeddings of all entities, if they are at hand; encoded here otherwise.
        """
        table = self.encoder().joint if table is None else table
        return self.scorer.score_all(table[entity], self.relations[relation], head_side, table)
