"""Encoder + scorer + relation embeddings."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder
from dhns.graph.queries import Queries, answers
from dhns.models.own_entity import OwnEntity
from dhns.scorers.scorer import Scorer

NEARLY_ALL = 3
"""Ids drawn per entity of the graph from which a batch is taken to name all of them: 95 % of them, if drawn evenly."""
ENCODED_AT_ONCE = 2**17
"""Entities of a larger graph that are encoded for ranking at once: of width 256, a view of them takes 128 MiB."""


class KGEModel(nn.Module):
    """A knowledge graph embedding model: scores triples of entity and relation ids.

    Args:
        encoder: entity ids to embeddings.
        scorer: embeddings to scores.
        num_relations: R; the model owns the relation table.
        reciprocal: a second vector per relation, by which a tail asks for its head, in place of the scorer's inverse
            (Lacroix et al., ICML 2018). A triple then has a score for each side.
        own_entity: raises the score of the entity that is asked about; None to leave it as the scorer has it.
    """

    def __init__(
        self,
        encoder: EntityEncoder,
        scorer: Scorer,
        num_relations: int,
        reciprocal: bool = False,
        own_entity: OwnEntity | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.scorer = scorer
        self.num_relations = num_relations
        self.reciprocal = reciprocal
        self.own_entity = own_entity
        self.relations = nn.Parameter(scorer.initial_relations(num_relations * (2 if reciprocal else 1)))

    @property
    def reciprocal_offset(self) -> int | None:
        """How many rows further on in the relation table the reciprocal relations are; None if there are none."""
        return self.num_relations if self.reciprocal else None

    def relation_rows(self, queries: Queries) -> Tensor:
        """``(B,)`` rows of the relation table that queries use."""
        return queries.relation + self.num_relations * queries.head_side if self.reciprocal else queries.relation

    def relation_table(self) -> Tensor:
        """``(rows, R')`` the relation table as the scorer prepares it; once per step."""
        return self.scorer.prepare(self.relations)

    def encode(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        """Encode entities ``(U,)``, or all; ``relations`` is `relation_table` if it is at hand."""
        return self.encoder(entity, self.relation_table() if relations is None else relations)  # type: ignore[no-any-return]

    @torch.no_grad()
    def joint_table(self) -> Tensor:
        """``(E, J)`` fp32 joint embeddings of all entities, without gradients.

        Of a large graph the views are made a part at a time, so that beside the table memory holds those of a part. An
        encoder whose joint embedding is its structural table hands that out, not a copy.
        """
        relations, count = self.relation_table(), self.encoder.num_entities
        if count <= ENCODED_AT_ONCE:
            return self.encode(None, relations).joint.detach().float()
        table: Tensor | None = None
        for entity in torch.split(torch.arange(count, device=relations.device), ENCODED_AT_ONCE):
            part = self.encode(entity, relations)
            if part.joint is part.views[STRUCTURE]:
                return self.encoder.structural_view()[0].detach().float()
            if table is None:
                table = part.joint.new_empty(count, part.joint.shape[1], dtype=torch.float32)
            table[entity] = part.joint.float()
        assert table is not None
        return table

    def encode_distinct(self, *ids: Tensor, relations: Tensor | None = None) -> tuple[Encoded, tuple[Tensor, ...]]:
        """Encode every *distinct* entity of a batch once; or all entities, where the batch names nearly all of them.

        Args:
            *ids: entity ids, of any shapes.
            relations: see `encode`.

        Returns:
            The encoded entities, and of each of ``ids`` their rows, in the shape of the ids.
        """
        named = torch.cat([part.flatten() for part in ids])
        if len(named) >= NEARLY_ALL * self.encoder.num_entities:
            return self.encode(None, relations), ids
        distinct, row = torch.unique(named, return_inverse=True)
        rows = row.split([part.numel() for part in ids])
        return self.encode(distinct, relations), tuple(r.view_as(part) for r, part in zip(rows, ids, strict=True))

    def embed(self, queries: Queries, table: Tensor, relations: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What the scorer takes queries as: entities ``(B, J)``, relations ``(B, R')`` and sides ``(B,)``.

        With reciprocal relations every query asks for a tail.

        Args:
            queries: their entities are rows of ``table``.
            table: ``(U, J)`` joint embeddings.
            relations: `relation_table`.
        """
        head_side = torch.zeros_like(queries.head_side) if self.reciprocal else queries.head_side
        return embedding(queries.entity, table), embedding(self.relation_rows(queries), relations), head_side

    def score_triples(self, triples: Tensor, head_side: Tensor | None = None) -> Tensor:
        """``(B,)`` scores of triples ``(B, 3)`` of ids, as tails or where ``head_side`` ``(B,)`` as heads.

        The side matters with reciprocal relations, and to a loop where the model has a number for the own entity.
        """
        head_side = torch.zeros_like(triples[:, 0], dtype=torch.bool) if head_side is None else head_side
        if self.reciprocal or self.own_entity is not None:
            queries = Queries.of(triples, head_side)
            return self.score_candidates(queries, answers(triples, head_side)[:, None]).squeeze(1)
        relations = self.relation_table()
        encoded, (head, tail) = self.encode_distinct(triples[:, 0], triples[:, 2], relations=relations)
        score: Tensor = self.scorer(encoded.joint[head], relations[triples[:, 1]], encoded.joint[tail])
        return score

    def score_candidates(self, queries: Queries, candidates: Tensor) -> Tensor:
        """``(B, N)`` scores of entities ``(B, N)`` as answers."""
        relations = self.relation_table()
        encoded, (entity, rows) = self.encode_distinct(queries.entity, candidates, relations=relations)
        asked = self.embed(queries._replace(entity=entity), encoded.joint, relations)
        scores = self.scorer.score_candidates(*asked, encoded.joint, rows)
        return scores if self.own_entity is None else self.own_entity.raise_candidates(scores, queries, candidates)

    def score_among(self, queries: Queries, candidates: Tensor, table: Tensor) -> Tensor:
        """``(B, C)`` scores of entities ``(C,)`` as answers to every query, of joint embeddings ``(E, J)`` of all."""
        scores = self.scorer.score_all(*self.embed(queries, table, self.relation_table()), table[candidates])
        own = self.own_entity
        return scores if own is None else own.raise_candidates(scores, queries, candidates[None])

    def score_all(self, queries: Queries, table: Tensor | None = None) -> Tensor:
        """``(B, E)`` scores of every entity as the answer.

        Args:
            queries: what is asked.
            table: ``(E, J)`` joint embeddings of all entities, if they are at hand; encoded here otherwise.
        """
        relations = self.relation_table()
        table = self.encode(None, relations).joint if table is None else table
        scores = self.scorer.score_all(*self.embed(queries, table, relations), table)
        return scores if self.own_entity is None else self.own_entity.raise_all(scores, queries)
