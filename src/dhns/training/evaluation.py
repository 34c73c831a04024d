"""A trained module ranks triples."""

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
from dhns.training.module import LinkPredictionModule


def frequency_baseline(module: LinkPredictionModule, splits: Iterable[str]) -> dict[str, dict[str, float]]:
    """The metrics of what learns nothing, see `RelationFrequency`, by split."""
    baseline = RelationFrequency(module.graph).to(module.known.answers.device)
    scores = {}
    for split in splits:
        scores[split] = rank_triples(baseline, module.graph.split(split), module.known, module.metric)
        module.metric.reset()
    return scores


def rank_split(
    module: LinkPredictionModule, split: str, show_progress: bool = False
) -> tuple[dict[str, float], RankedQueries]:
    """Filtered metrics of a whole split, see `LinkPredictionMetric`, and the ranks that they are made of."""
    return rank_queries(module, module.graph.split(split), show_progress)


def rank_queries(
    module: LinkPredictionModule, triples: Tensor, show_progress: bool = False
) -> tuple[dict[str, float], RankedQueries]:
    """As `rank_split`, of any triples ``(n, 3)`` of the graph's entities and relations.

    Raises:
        InputError: there are none.
    """
    if len(triples) == 0:
        raise InputError(f"{module.graph.name} has no triples to rank there; choose another split")
    module.eval()
    module.on_validation_epoch_start()
    metrics = rank_triples(
        module.score_all,
        triples,
        module.known,
        module.metric,
        describe=module.graph.describe,
        score_triples=module.model.score_triples,
        progress=show_progress,
    )
    ranked = _ranked(module.graph, triples, module.metric.distinct_records())
    module.on_validation_end()
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
