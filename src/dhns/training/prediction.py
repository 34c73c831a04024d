"""Answers to queries with one part missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.queries import Queries
from dhns.graph.triple_sets import Places
from dhns.ranking.evaluation import queries_per_chunk
from dhns.training.calibration import Calibration
from dhns.training.ranker import Ranker, ranking

_TRIPLES = 1 << 14  # scored at once


@dataclass(frozen=True)
class Query:
    """A triple of ids of which one is None: the one that is asked for."""

    head: int | None
    relation: int | None
    tail: int | None

    @classmethod
    def parse(
        cls, graph: KnowledgeGraph, head: object, relation: object, tail: object, *, suggest: bool = True
    ) -> Query:
        """From names, keys or ids; see `Vocabulary.find`.

        Raises:
            InputError: a name is unknown or ambiguous, or not exactly two parts are given.
        """
        given = [part is not None for part in (head, relation, tail)]
        if sum(given) != 2:
            raise InputError(f"a query gives two of head, relation and tail; {sum(given)} are given")
        return cls(
            None if head is None else graph.entities.find(str(head), suggest),
            None if relation is None else graph.relations.find(str(relation), suggest),
            None if tail is None else graph.entities.find(str(tail), suggest),
        )

    @property
    def asked(self) -> str:
        """``head``, ``relation`` or ``tail``."""
        return next(name for name in ("head", "relation", "tail") if getattr(self, name) is None)

    def vocabulary(self, graph: KnowledgeGraph) -> Vocabulary:
        """What the answers are."""
        return graph.relations if self.asked == "relation" else graph.entities

    def describe(self, graph: KnowledgeGraph) -> str:
        """``Norway - shares border with - ?``."""
        parts = ((self.head, graph.entities), (self.relation, graph.relations), (self.tail, graph.entities))
        return " - ".join("?" if part is None else names.labels[part] for part, names in parts)

    def triples(self, candidates: Tensor) -> Tensor:
        """``(n, 3)`` triples with each candidate ``(n,)`` in the missing place."""
        parts = [
            candidates if p is None else torch.full_like(candidates, p) for p in (self.head, self.relation, self.tail)
        ]
        return torch.stack(parts, dim=1)


class Answer(NamedTuple):
    """One candidate: id, score, the splits that hold the fact, see `Places`, and a probability where calibrated."""

    candidate: int
    score: float
    known_in: tuple[str, ...]
    probability: float | None = None


def predict(
    ranker: Ranker, query: Query, k: int, hide_known: bool = False, calibration: Calibration | None = None
) -> list[Answer]:
    """The ``k`` best answers, best first; all of them if there are fewer. ``hide_known`` leaves facts of the graph out.

    Raises:
        InputError: k is not positive, or a score is NaN or infinite.
    """
    return next(predict_many(ranker, [query], k, hide_known, calibration))


def predict_many(
    ranker: Ranker,
    queries: Iterable[Query],
    k: int,
    hide_known: bool = False,
    calibration: Calibration | None = None,
    chunk: int | None = None,
) -> Iterator[list[Answer]]:
    """As `predict`, of many queries: entities are encoded once, and queries are taken and scored by the chunk.

    Args:
        ranker: what scores.
        queries: taken as answers are asked for.
        k: answers per query.
        hide_known: leave facts of the graph out.
        calibration: of the ranker, for probabilities.
        chunk: queries at once at most; fewer where the scores of all entities would not fit 256 MiB.

    Raises:
        InputError: see `predict`.
    """
    if k < 1:
        raise InputError(f"k is {k}; at least 1 answer has to be asked for")
    if chunk is not None and chunk < 1:
        raise InputError(f"chunk is {chunk}; at least 1 query has to be held at once")
    places = Places(ranker.graph)
    size = queries_per_chunk(ranker.graph.num_entities)
    waiting = iter(queries)
    with ranking(ranker):
        while some := list(islice(waiting, size if chunk is None else min(size, chunk))):
            yield from _answers(ranker, some, k, hide_known, calibration, places)


@torch.no_grad()
def _answers(
    ranker: Ranker, queries: list[Query], k: int, hide_known: bool, calibration: Calibration | None, places: Places
) -> list[list[Answer]]:
    best: list[tuple[Tensor, Tensor]] = [(torch.empty(0), torch.empty(0))] * len(queries)
    of_entities = [row for row, query in enumerate(queries) if query.asked != "relation"]
    if of_entities:
        found = _best_entities(ranker, [queries[row] for row in of_entities], k, hide_known)
        for row, scores, candidates in zip(of_entities, *found, strict=True):
            best[row] = scores, candidates
    for row, query in enumerate(queries):
        if query.asked == "relation":
            best[row] = _best_relations(ranker, query, k, hide_known)
    # what is hidden was given no score
    kept = [(scores[scores > -torch.inf], candidates[scores > -torch.inf]) for scores, candidates in best]
    triples = torch.cat([query.triples(candidates) for query, (_, candidates) in zip(queries, kept, strict=True)])
    known = iter(places.of(triples))
    return [
        [
            Answer(candidate, score, next(known), probability)
            for candidate, score, probability in zip(
                candidates.tolist(), scores.tolist(), _probabilities(ranker, query, scores, calibration), strict=True
            )
        ]
        for query, (scores, candidates) in zip(queries, kept, strict=True)
    ]


def _best_entities(ranker: Ranker, asked: list[Query], k: int, hide_known: bool) -> tuple[Tensor, Tensor]:
    """``(Q, k)`` scores and candidates on the processor, ``-inf`` where answers are hidden and no other is left."""
    rows = [(q.tail if q.head is None else q.head, q.relation, q.asked == "head") for q in asked]
    entity, relation, head_side = torch.tensor(rows, device=ranker.device).unbind(1)
    queries = Queries(entity, relation, head_side.bool())
    scores = ranker.score_all(queries).float()
    if not all(torch.stack(scores.aminmax()).isfinite().tolist()):
        worst, candidate = (~scores.isfinite()).nonzero()[0]
        raise _diverged(ranker, queries.rows(worst[None]).triples(candidate[None])[0])
    if hide_known:
        scores[ranker.known.lookup(queries)] = -torch.inf
    best = scores.topk(min(k, scores.shape[1]))
    return best.values.cpu(), best.indices.cpu()


def _best_relations(ranker: Ranker, query: Query, k: int, hide_known: bool) -> tuple[Tensor, Tensor]:
    """As `_best_entities`, of one query for a relation: ``(k,)``."""
    triples = query.triples(torch.arange(ranker.graph.num_relations, device=ranker.device))
    scores = ranker.score_relations(triples).float()
    if not scores.isfinite().all():
        raise _diverged(ranker, triples[(~scores.isfinite()).nonzero()[0, 0]])
    if hide_known:
        scores = scores.masked_fill(ranker.known.holds(triples), -torch.inf)
    best = scores.topk(min(k, len(scores)))
    return best.values.cpu(), best.indices.cpu()


def _probabilities(
    ranker: Ranker, query: Query, scores: Tensor, calibration: Calibration | None
) -> list[float] | list[None]:
    """None where nothing is calibrated; nor is the order of relations by a blend, which has another scale."""
    if calibration is None or (query.asked == "relation" and ranker.score_triples is None):
        return [None] * len(scores)
    return calibration.probability(scores).tolist()


def _diverged(ranker: Ranker, triple: Tensor) -> InputError:
    head, relation, tail = triple.tolist()
    return InputError(
        f"'{ranker.graph.describe((head, relation, tail))}' has a score that is NaN or infinite; the parameters have "
        "diverged: evaluate an earlier checkpoint, or train with a lower learning rate"
    )


@torch.no_grad()
def score_facts(ranker: Ranker, triples: Tensor) -> Tensor:
    """``(n,)`` fp32 scores on the processor of triples ``(n, 3)``, each as the tail of its head and relation.

    What a model gives a triple by itself; of a blend what it gives the tail among all entities.

    Raises:
        InputError: a score is NaN or infinite.
    """
    triples = triples.to(ranker.device)
    scores = torch.cat([_scores(ranker, some) for some in torch.split(triples, _TRIPLES)])
    if not scores.isfinite().all():
        raise _diverged(ranker, triples[(~scores.isfinite()).nonzero()[0, 0]])
    return scores.cpu()


def _scores(ranker: Ranker, triples: Tensor) -> Tensor:
    tails = torch.zeros_like(triples[:, 0], dtype=torch.bool)
    if ranker.score_triples is not None:
        return ranker.score_triples(triples, tails).float()
    queries, row = Queries.of(triples, tails).distinct(ranker.graph.num_relations)
    scores = torch.empty(len(triples), device=triples.device)
    size = queries_per_chunk(ranker.graph.num_entities)
    for start in range(0, len(queries.entity), size):
        some = torch.arange(start, min(start + size, len(queries.entity)), device=triples.device)
        within = (row >= start) & (row < start + size)
        scores[within] = ranker.score_all(queries.rows(some))[row[within] - start, triples[within, 2]]
    return scores


def answer_table(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> Table:
    """Answers with labels."""
    table = Table(title=query.describe(graph))
    table.add_column("rank", justify="right")
    table.add_column("answer")
    table.add_column("score", justify="right")
    table.add_column("known fact")
    calibrated = any(answer.probability is not None for answer in answers)
    if calibrated:
        table.add_column("probability", justify="right")
    for row in answer_rows(graph, query, answers):
        probability = [f"{row['probability']:.3f}"] if calibrated else []
        table.add_row(str(row["rank"]), row["label"], f"{row['score']:.3f}", row["known"], *probability)
    return table


def answer_rows(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> list[dict[str, Any]]:
    """Answers as plain values: rank, key, label, score, the splits that hold the fact, separated by commas.

    Where the model is calibrated, also the probability.
    """
    names = query.vocabulary(graph)
    return [
        {
            "rank": rank,
            "key": names.keys[answer.candidate],
            "label": names.labels[answer.candidate],
            "score": answer.score,
            "known": ", ".join(answer.known_in),
            **({} if answer.probability is None else {"probability": answer.probability}),
        }
        for rank, answer in enumerate(answers, start=1)
    ]


def remarks(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> list[str]:
    """What to know of the answers: which entities no training triple has shown to the model."""
    given = [entity for entity in (query.head, query.tail) if entity is not None]
    found = [] if query.asked == "relation" else [answer.candidate for answer in answers]
    unseen = [entity for entity in dict.fromkeys([*given, *found]) if not graph.seen_entities[entity]]
    known = [any(modality.present[entity] for modality in graph.modalities.values()) for entity in unseen]
    return [
        f"'{graph.entities.labels[entity]}' is in no training triple: "
        + ("what is said of it rests on its features" if described else "its scores are those of a random vector")
        for entity, described in zip(unseen, known, strict=True)
    ]
