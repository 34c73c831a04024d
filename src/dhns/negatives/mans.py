"""Modality-aware negative sampling (Zhang, Chen & Zhang, IJCNN 2023, arXiv 2304.11618)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries, answers
from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.view_donors import ViewDonors
from dhns.ranges import Count, Fraction, Whole


class MANS(BernoulliSampler):
    """A share of the negatives keeps the true entity's structure and takes over another one's image.

    Such modality-level negatives align the views of an entity; the others replace the entity as a whole. The variants
    of the paper:

    - MANS-V, modality-level only: ``share=1``;
    - MANS-T, two stages: ``share=0, first_stage=...``;
    - MANS-H, hybrid: ``share=0.3`` (beta in the paper);
    - MANS-A, adaptive: ``share=null``. See `adapted_share`.

    Departures: any views can be swapped, not the image only; a view is borrowed from entities that have it, as the
    paper knows no missing images; the first stage is counted in batches, since a sampler does not know how long
    training lasts. A borrowed view may come from a known answer: with the true entity's structure it is still wrong.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive.
        views: names of the modalities that are swapped; the image when null, or all where the graph has no images.
        share: of modality-level negatives in a batch; adaptive when null.
        first_stage: batches at the start of training in which all negatives are modality-level.
        filtered: an entity that replaces the true one as a whole is never a known training answer.

    Raises:
        InputError: the share is not a fraction, a stage is negative, or see `ViewDonors`.
    """

    reads_features = True

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 64,
        views: Sequence[str] | None = None,
        share: Fraction | None = None,
        first_stage: Whole = 0,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        if share is not None and not 0 <= share <= 1:
            raise InputError(f"negatives.share is {share}; expected a number from 0 to 1, or null to adapt it")
        if first_stage < 0:
            raise InputError(f"negatives.first_stage is {first_stage}; expected a number of batches, or 0 for none")
        self.share = share
        self.first_stage = first_stage
        if views is None:
            graph.require_features()
            views = ["visual"] if "visual" in graph.modalities else list(graph.modalities)
        self.donors = ViewDonors(graph, views)

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        self.donors.require(model)
        queries = self.ask(triples, step, rng)
        drawn = self.draw(queries, self.num_negatives, rng)
        if step < self.first_stage:
            share = 1.0
        else:
            share = self.adapted_share(queries, drawn, model) if self.share is None else self.share
        count = round(share * drawn.numel())
        if count == 0:
            return Negatives(queries, drawn)
        true = answers(triples, queries.head_side)
        # by columns, so that positives differ by one at most; they come in random order
        order = torch.arange(drawn.numel(), device=drawn.device).view(self.num_negatives, len(triples)).T
        donor = self.donors.draw(true, self.num_negatives, rng)
        entity = torch.where(order < count, true[:, None], drawn)
        view = torch.where(order < count, donor, drawn)
        return Negatives(queries, entity, dict.fromkeys(self.donors.names, view))

    @torch.no_grad()
    def adapted_share(self, queries: Queries, drawn: Tensor, model: KGEModel) -> float:
        """The share of entities ``drawn`` ``(B, N)`` that score better across views than within them.

        Within: both ends of the triple are seen in the same view; across: in two different ones. The score is the mean
        over all such pairs of views, structure among them; the paper adds up two of each. An entity without a view is
        seen by its structure.
        """
        scorer, relations = model.scorer, model.relation_table()
        encoded, (entity, rows) = model.encode_distinct(queries.entity, drawn, relations=relations)
        queries = queries._replace(entity=entity)
        tables = {name: _seen_by(name, encoded, model.encoder) for name in (STRUCTURE, *self.donors.names)}
        total = {True: torch.zeros_like(drawn, dtype=relations.dtype)}
        total[False] = torch.zeros_like(total[True])
        for asked, answer in product(tables, repeat=2):
            query = model.embed(queries, tables[asked], relations)
            total[asked == answer] += scorer.score_candidates(*query, tables[answer], rows)
        within, across = len(tables), len(tables) * (len(tables) - 1)
        return (total[False] / across > total[True] / within).double().mean().item()


def _seen_by(name: str, encoded: Encoded, encoder: EntityEncoder) -> Tensor:
    """``(U, J)`` joint embeddings of entities of which all views are the one of this name."""
    structure = encoded.views[STRUCTURE]
    view = torch.where(encoded.present[name][:, None], encoded.views[name], structure)
    everywhere = torch.ones_like(encoded.present[STRUCTURE])
    return encoder.fuse(dict.fromkeys(encoded.views, view), dict.fromkeys(encoded.views, everywhere))
