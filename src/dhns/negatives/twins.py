"""Twins negative sampling of VBKGC (Zhang & Zhang, 2022, arXiv 2209.07084)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import answers
from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.negatives.view_donors import ViewDonors
from dhns.ranges import Count


class TwinsSampler(BernoulliSampler):
    """Replaces structure and features of an entity, which are twins, together or apart, a third of the negatives each.

    Negative ``i`` of a batch, counted positive by positive, has another entity in both (``i % 3 == 0``), the structure
    of another entity and the features of the true one (1), or the structure of the true entity and the features of
    another one (2).

    Departure: features are borrowed from entities that have some; see `ViewDonors`.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive.
        views: names of the modalities that are the twin of structure; all of the graph's when null.
        filtered: an entity that lends its structure is never a known training answer.

    Raises:
        InputError: see `ViewDonors`.
    """

    reads_features = True

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 64,
        views: Sequence[str] | None = None,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        if views is None:
            graph.require_features()
            views = tuple(graph.modalities)
        self.donors = ViewDonors(graph, views)

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        self.donors.require(model)
        queries = self.ask(triples, step, rng)
        drawn = self.draw(queries, self.num_negatives, rng)
        true = answers(triples, queries.head_side)
        donor = self.donors.draw(true, self.num_negatives, rng)
        kind = torch.arange(drawn.numel(), device=drawn.device).view_as(drawn) % 3
        entity = torch.where(kind == 2, true[:, None], drawn)
        view = torch.where(kind == 0, drawn, torch.where(kind == 1, true[:, None], donor))
        return Negatives(queries, entity, dict.fromkeys(self.donors.names, view))
