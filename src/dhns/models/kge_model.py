"""Encoder + scorer + relation embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import Encoded, EntityEncoder
from dhns.scorers.scorer import Scorer

NEARLY_ALL = 3
"""Ids drawn per entity of the graph from which a batch is taken to name all of them: 95 % of them, if drawn evenly."""


class KGEModel(nn.Module):
    """A knowledge graph embedding model: scores triples of entity and relation ids.

    Args:
        encoder: entity ids to embeddings.
        scorer: embeddings to scores.
        num_relations: R; the model owns the relation table.
        reciprocal: a second vector per relation, by which a tail asks for its head, in place of the scorer's inverse
            (Lacroix et al., ICML 2018). A triple then has a score for each side.
    """

    def __init__(self, encoder: EntityEncoder, scorer: Scorer, num_relations: int, reciprocal: bool = False) -> None:
        super().__init__()
        self.encoder = encoder
        self.scorer = scorer
        self.num_relations = num_relations
        self.reciprocal = reciprocal
        self.relations = nn.Parameter(scorer.initial_relations(num_relations * (2 if reciprocal else 1)))

    def relation_rows(self, relation: Tensor, head_side: Tensor) -> Tensor:
        """``(B,)`` rows of the relation table that queries ``(B,)`` of a side use."""
        return relation + self.num_relations * head_side if self.reciprocal else relation

    def relation_table(self) -> Tensor:
        """``(rows, R')`` the relation table as the scorer prepares it; once per step."""
        return self.scorer.prepare(self.relations)

    def sides(self, head_side: Tensor) -> Tensor:
        """The sides ``(B,)`` as the scorer sees them: with reciprocal relations every query asks for a tail."""
        return torch.zeros_like(head_side) if self.reciprocal else head_side

    def encode(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        """Encode entities ``(U,)``, or all; ``relations`` is `relation_table` if it is at hand."""
        return self.encoder(entity, self.relation_table() if relations is None else relations)  # type: ignore[no-any-return]

    def encode_batch(
        self, triples: Tensor, candidates: Tensor, relations: Tensor | None = None
    ) -> tuple[Encoded, Tensor, Tensor, Tensor]:
        """Encode every *distinct* entity of a batch once; or all entities, where the batch names nearly all of them.

        Args:
            triples: ``(B, 3)``.
            candidates: ``(B, N)`` entity ids.
            relations: see `encode`.

        Returns:
            The encoded entities, and which of them are the heads ``(B,)``, tails ``(B,)`` and candidates ``(B, N)``.
        """
        ids = torch.cat([triples[:, 0], triples[:, 2], candidates.flatten()])
        if len(ids) >= NEARLY_ALL * self.encoder.num_entities:
            return self.encode(None, relations), triples[:, 0], triples[:, 2], candidates
        distinct, row = torch.unique(ids, return_inverse=True)
        head, tail, candidate = row.split([len(triples), len(triples), candidates.numel()])
        return self.encode(distinct, relations), head, tail, candidate.view_as(candidates)

    def score_triples(self, triples: Tensor, head_side: Tensor | None = None) -> Tensor:
        """``(B,)`` scores of triples ``(B, 3)`` of ids, as tails or where ``head_side`` ``(B,)`` as heads.

        The side matters with reciprocal relations only.
        """
        head_side = torch.zeros_like(triples[:, 0], dtype=torch.bool) if head_side is None else head_side
        if self.reciprocal:
            answer = torch.where(head_side, triples[:, 0], triples[:, 2])
            return self.score_candidates(triples, head_side, answer[:, None]).squeeze(1)
        relations = self.relation_table()
        encoded, head, tail, _ = self.encode_batch(triples, triples[:, :0], relations)
        score: Tensor = self.scorer(encoded.joint[head], relations[triples[:, 1]], encoded.joint[tail])
        return score

    def score_candidates(self, triples: Tensor, head_side: Tensor, candidates: Tensor) -> Tensor:
        """``(B, N)`` scores of entities ``(B, N)`` in the place of the tails of ``triples``, or of their heads."""
        relations = self.relation_table()
        encoded, head, tail, rows = self.encode_batch(triples, candidates, relations)
        observed = encoded.joint[torch.where(head_side, tail, head)]
        relation = relations[self.relation_rows(triples[:, 1], head_side)]
        return self.scorer.score_candidates(observed, relation, self.sides(head_side), encoded.joint, rows)

    def score_all(self, entity: Tensor, relation: Tensor, head_side: Tensor, table: Tensor | None = None) -> Tensor:
        """``(B, E)`` scores of every entity as the answer of queries ``(B,)`` of ids.

        Args:
            entity: ids of the known entities.
            relation: ids.
            head_side: true where the head is asked for.
            table: ``(E, J)`` joint embeddings of all entities, if they are at hand; encoded here otherwise.
        """
        relations = self.relation_table()
        table = self.encode(None, relations).joint if table is None else table
        rows = self.relation_rows(relation, head_side)
        return self.scorer.score_all(table[entity], relations[rows], self.sides(head_side), table)
