"""A trained module, or several together, ranks triples."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries, answers
from dhns.ranking.baseline import RelationFrequency
from dhns.ranking.evaluation import rank_triples
from dhns.ranking.metric import Records
from dhns.results.ranks import RankedQueries
from dhns.training.ranker import Ranker


def frequency_baseline(ranker: Ranker, splits: Iterable[str]) -> dict[str, dict[str, float]]:
    """The metrics of what learns nothing, see `RelationFrequency`, by split."""
    baseline = RelationFrequency(ranker.graph).to(ranker.known.answers.device)
    scores = {}
    for split in splits:
        scores[split] = rank_triples(baseline, ranker.graph.split(split), ranker.known, ranker.metric)
        ranker.metric.reset()
    return scores


def rank_split(ranker: Ranker, split: str, show_progress: bool = False) -> tuple[dict[str, float], RankedQueries]:
    """Filtered metrics of a whole split, see `LinkPredictionMetric`, and the ranks that they are made of."""
    return rank_queries(ranker, ranker.graph.split(split), show_progress)


def rank_queries(
    ranker: Ranker, triples: Tensor, show_progress: bool = False
) -> tuple[dict[str, float], RankedQueries]:
    """As `rank_split`, of any triples ``(n, 3)`` of the graph's entities and relations.

    Raises:
        InputError: there are none.
    """
    if len(triples) == 0:
        raise InputError(f"{ranker.graph.name} has no triples to rank there; choose another split")
    ranker.eval()
    ranker.start_ranking()
    metrics = rank_triples(
        ranker.score_all,
        triples,
        ranker.known,
        ranker.metric,
        describe=ranker.graph.describe,
        score_triples=ranker.score_triples,
        progress=show_progress,
    )
    ranked = _ranked(ranker.graph, triples, ranker.metric.distinct_records())
    ranker.end_ranking()
    return metrics, ranked


def _ranked(graph: KnowledgeGraph, triples: Tensor, records: Records) -> RankedQueries:
    triples, head_side = triples[records.query], records.head_side.bool()
    queries, answer = Queries.of(triples, head_side), answers(triples, head_side)
    degree = torch.bincount(graph.train[:, [0, 2]].flatten(), minlength=graph.num_entities)
    return RankedQueries(
        optimistic=records.optimistic.int().numpy(),
        ties=(records.pessimistic - records.optimistic).int().numpy(),
        own=records.own.to(torch.int8).numpy(),
        head_side=head_side.numpy(),
        relation=queries.relation.int().numpy(),
        cluster=torch.unique(queries.entity, return_inverse=True)[1].int().numpy(),
        popularity=degree[answer].int().numpy(),
    )
