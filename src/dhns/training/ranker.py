"""What ranks triples and answers queries: a trained module, or several of them together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor

from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.ranking.evaluation import ScoreTriples
from dhns.ranking.metric import LinkPredictionMetric


class Ranker(Protocol):
    """A graph, and scores of everything that can be asked about it.

    Attributes:
        graph: which was trained on.
        known: its true triples, on the device of the scores.
        metric: what ranks are summed up in, there too.
    """

    graph: KnowledgeGraph
    known: KnownAnswers
    metric: LinkPredictionMetric

    @property
    def score_triples(self) -> ScoreTriples | None:
        """Scores of triples by themselves, which `score_all` has to agree with; None where a triple alone has none."""

    @property
    def device(self) -> torch.device:
        """Of queries and scores."""

    def eval(self) -> Any:
        """Without dropout, as all scores are."""

    def start_ranking(self) -> None:
        """Prepare for many calls of `score_all`, and empty the metric."""

    def score_all(self, queries: Queries) -> Tensor:
        """``(B, E)`` fp32 scores of every entity as the answer to B queries."""

    def score_among(self, queries: Queries, candidates: Tensor) -> Tensor:
        """``(B, C)`` fp32 scores of entities ``(C,)`` as answers to B queries, as `score_all` has them."""

    def score_relations(self, triples: Tensor) -> Tensor:
        """``(R,)`` scores of triples ``(R, 3)`` that differ in their relation, comparable with one another."""

    def end_ranking(self) -> None:
        """Let go of what `start_ranking` prepared."""


@contextmanager
def ranking(ranker: Ranker) -> Iterator[None]:
    """Within, many calls of `Ranker.score_all` share what can be prepared once."""
    ranker.eval()
    ranker.start_ranking()
    try:
        yield
    finally:
        ranker.end_ranking()
