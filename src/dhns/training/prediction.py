"""Answers to queries with one part missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from rich.table import Table
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Vocabulary
from dhns.graph.protocol import known_triples
from dhns.graph.queries import Queries
from dhns.training.ranker import Ranker


@dataclass(frozen=True)
class Query:
    """A triple of ids of which one is None: the one that is asked for."""

    head: int | None
    relation: int | None
    tail: int | None

    @classmethod
    def parse(cls, graph: KnowledgeGraph, head: object, relation: object, tail: object) -> Query:
        """From names, keys or ids.

        Raises:
            InputError: a name is unknown or ambiguous, or not exactly two parts are given.
        """
        given = [part is not None for part in (head, relation, tail)]
        if sum(given) != 2:
            raise InputError(f"a query gives two of head, relation and tail; {sum(given)} are given")
        return cls(
            None if head is None else graph.entities.find(str(head)),
            None if relation is None else graph.relations.find(str(relation)),
            None if tail is None else graph.entities.find(str(tail)),
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

    def known(self, graph: KnowledgeGraph) -> Tensor:
        """``(n,)`` ids that complete a true triple of the graph, ascending."""
        facts = known_triples(graph)
        parts = (self.head, self.relation, self.tail)
        for column, part in enumerate(parts):
            if part is not None:
                facts = facts[facts[:, column] == part]
        answers: Tensor = torch.unique(facts[:, parts.index(None)])
        return answers

    def triples(self, candidates: Tensor) -> Tensor:
        """``(n, 3)`` triples with each candidate ``(n,)`` in the missing place."""
        parts = [
            candidates if p is None else torch.full_like(candidates, p) for p in (self.head, self.relation, self.tail)
        ]
        return torch.stack(parts, dim=1)


class Answer(NamedTuple):
    """One candidate: id, score, and the splits that hold the fact (``filter only``: a true triple of no split)."""

    candidate: int
    score: float
    known_in: tuple[str, ...]


@torch.no_grad()
def predict(ranker: Ranker, query: Query, k: int, hide_known: bool = False) -> list[Answer]:
    """The ``k`` best answers, best first; all of them if there are fewer. ``hide_known`` leaves facts of the graph out.

    Raises:
        InputError: k is not positive, or a score is NaN or infinite.
    """
    if k < 1:
        raise InputError(f"k is {k}; at least 1 answer has to be asked for")
    graph = ranker.graph
    count = len(query.vocabulary(graph))
    candidates = torch.arange(count, device=ranker.device)
    triples = query.triples(candidates)
    if query.asked == "relation":
        scores = ranker.score_relations(triples)
    else:
        head_side = torch.tensor([query.asked == "head"], device=ranker.device)
        scores = ranker.score_all(Queries.of(triples[:1], head_side))[0]
    if not scores.isfinite().all():
        worst = int((~scores.isfinite()).nonzero()[0])
        head, relation, tail = triples[worst].tolist()
        raise InputError(
            f"'{graph.describe((head, relation, tail))}' has a score that is NaN or infinite; the parameters have "
            "diverged: evaluate an earlier checkpoint, or train with a lower learning rate"
        )
    if hide_known:
        known = query.known(graph).to(ranker.device)
        scores = scores.index_fill(0, known, -torch.inf)
        count -= len(known)
    best = scores.topk(min(k, count))
    return [
        Answer(index, score, _splits_with(graph, triples[index].cpu()))
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def answer_table(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> Table:
    """Answers with labels."""
    table = Table(title=query.describe(graph))
    table.add_column("rank", justify="right")
    table.add_column("answer")
    table.add_column("score", justify="right")
    table.add_column("known fact")
    for row in answer_rows(graph, query, answers):
        table.add_row(str(row["rank"]), row["label"], f"{row['score']:.3f}", row["known"])
    return table


def answer_rows(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> list[dict[str, Any]]:
    """Answers as plain values: rank, key, label, score, and the splits that hold the fact, separated by commas."""
    names = query.vocabulary(graph)
    return [
        {
            "rank": rank,
            "key": names.keys[answer.candidate],
            "label": names.labels[answer.candidate],
            "score": answer.score,
            "known": ", ".join(answer.known_in),
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


def _splits_with(graph: KnowledgeGraph, triple: Tensor) -> tuple[str, ...]:
    places = {name: graph.split(name) for name in SPLITS} | {"filter only": graph.filter_only}
    return tuple(name for name, triples in places.items() if bool((triples == triple).all(1).any()))
