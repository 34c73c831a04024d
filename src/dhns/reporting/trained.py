"""What only the trained model can tell: answers to queries, a map of its embeddings, scores by hardness level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.training.evaluation import rank_queries
from dhns.training.hardness import score_samples
from dhns.training.module import LinkPredictionModule
from dhns.training.prediction import Query
from dhns.training.ranker import Ranker

TRIPLES = 200
"""Of the split, evenly spaced, among which examples are looked for."""
SHOWN = 3
"""Answers to a query."""
POINTS = 2_000
"""Entities on the map, the most linked ones."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class GivenAnswer:
    """An entity in its place among the answers; ``rank`` may be a half, where scores are equal."""

    rank: float
    entity: int
    score: float
    is_true: bool


@dataclass(frozen=True)
class Example:
    """A query of a split, its best answers in the filtered setting, and the true one wherever it stands.

    Attributes:
        rank: of the true answer, realistic.
    """

    query: Query
    rank: float
    answers: tuple[GivenAnswer, ...]


@dataclass(frozen=True)
class EntityMap:
    """The two main axes of the joint embeddings.

    Attributes:
        entities: ``(points,)`` ids, the most linked first.
        places: ``(points, 2)``.
        shares: of the variance, by axis.
        kind: ``(points,)`` place in ``kinds``; -1 for none of these.
        kinds: relation id and whether the entity is its head, the most frequent first.
        counts: entities of each kind, on the map.
    """

    entities: np.ndarray
    places: np.ndarray
    shares: tuple[float, float]
    kind: np.ndarray
    kinds: tuple[tuple[int, bool], ...]
    counts: tuple[int, ...]


@torch.no_grad()
def examples(ranker: Ranker, split: str, count: int) -> tuple[list[Example], list[Example]]:
    """Queries that are answered right, and wrong: up to ``count`` of each, spread over the split and its relations."""
    triples = ranker.graph.split(split)
    triples = triples[torch.linspace(0, len(triples) - 1, min(TRIPLES, len(triples))).long()]
    ranks = rank_queries(ranker, triples)[1].realistic  # triple by triple, tail before head

    def shown(found: np.ndarray) -> list[Example]:
        chosen = _varied(found, triples[found // 2, 1].numpy(), count)
        return [_example(ranker, triples[number // 2], number % 2 == 1, float(ranks[number])) for number in chosen]

    ranker.start_ranking()
    right, wrong = shown(np.flatnonzero(ranks == 1)), shown(np.flatnonzero(ranks > 1))
    ranker.end_ranking()
    return right, wrong


@torch.no_grad()
def entity_map(module: LinkPredictionModule, kinds: int) -> EntityMap | None:
    """The joint embeddings of entities by principal components; None where some are not finite.

    Args:
        module: trained.
        kinds: how many are told apart. An entity is of the kind of most of its training triples: of a relation, as
            its head or its tail.
    """
    joint = module.model.encode().joint.double().cpu()
    if not joint.isfinite().all():
        return None
    joint = joint - joint.mean(0)
    variance, axes = torch.linalg.eigh(joint.T @ joint)
    axes = axes[:, -2:].flip(1)
    largest = axes.gather(0, axes.abs().argmax(0, keepdim=True))
    places = joint @ (axes * largest.sign())  # a component has no direction of its own: its largest entry is positive
    shares = (variance.flip(0) / variance.sum().clamp_min(torch.finfo(torch.float64).tiny)).tolist()
    graph = module.graph
    degree = torch.bincount(graph.train[:, [0, 2]].flatten(), minlength=graph.num_entities)
    shown = degree.argsort(descending=True, stable=True)[:POINTS]
    side = _usual_side(graph)[shown.numpy()]
    found, number = np.unique(side[side >= 0], return_counts=True)
    order = np.argsort(-number, kind="stable")[:kinds]
    kind = np.full(len(shown), -1)
    for place, code in enumerate(found[order]):
        kind[side == code] = place
    return EntityMap(
        shown.numpy(),
        places[shown].numpy(),
        (shares[0], shares[1]),
        kind,
        tuple((code // 2, code % 2 == 0) for code in found[order].tolist()),
        tuple(number[order].tolist()),
    )


def score_quantiles(module: LinkPredictionModule) -> dict[str, np.ndarray]:
    """`QUANTILES` of the scores of true triples, sampled and generated negatives, as the run's own figure has them."""
    graph = module.graph
    samples = score_samples(module, graph.valid if len(graph.valid) else graph.train)
    return {name: np.quantile(score.float().numpy(), QUANTILES) for name, score in samples.items()}


def _varied(found: np.ndarray, relation: np.ndarray, count: int) -> list[int]:
    """Up to ``count`` of the queries, evenly spaced, of as many relations as there are among these."""
    order = np.linspace(0, len(found) - 1, min(8 * count, len(found))).astype(int).tolist()
    firsts = {int(relation[place]): place for place in reversed(order)}.values()
    others = (place for place in order[:: max(1, len(order) // count)] if place not in firsts)
    chosen = [*sorted(firsts)[:: max(1, len(firsts) // count)], *others][:count]
    return [int(found[place]) for place in sorted(chosen)]


def _example(ranker: Ranker, triple: Tensor, head_side: bool, rank: float) -> Example:
    head, relation, tail = triple.tolist()
    query, true = (Query(None, relation, tail), head) if head_side else (Query(head, relation, None), tail)
    asked = Queries.of(triple[None].to(ranker.device), torch.tensor([head_side], device=ranker.device))
    scores = ranker.score_all(asked)[0].float().cpu()
    others = ranker.known.lookup(asked)[1].cpu()
    filtered = scores.index_fill(0, others[others != true], -torch.inf)
    best = filtered.topk(min(SHOWN, int(filtered.isfinite().sum()))).indices.tolist()
    answers = [
        GivenAnswer(place, entity, float(scores[entity]), False)
        for place, entity in enumerate(best, start=1)
        if entity != true
    ]
    found = sorted([*answers, GivenAnswer(rank, true, float(scores[true]), True)], key=lambda answer: answer.rank)
    return Example(query, rank, tuple(found))


def _usual_side(graph: KnowledgeGraph) -> np.ndarray:
    """``(entities,)``: twice the relation, plus one where an entity is mostly its tail; -1 without training triples."""
    head, relation, tail = graph.train.numpy().T
    sides = 2 * graph.num_relations
    codes = np.concatenate([head * sides + 2 * relation, tail * sides + 2 * relation + 1])
    pairs, count = np.unique(codes, return_counts=True)
    usual = np.full(graph.num_entities, -1)
    order = np.lexsort((-pairs, count))  # of equals the least code is written last, and stays
    usual[pairs[order] // sides] = pairs[order] % sides
    return usual
