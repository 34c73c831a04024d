"""Answers to queries with one part missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from rich.table import Table
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph
from dhns.training.module import LinkPredictionModule


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
    """One candidate: id, score, and the splits that hold the fact."""

    candidate: int
    score: float
    known_in: tuple[str, ...]


@torch.no_grad()
def predict(module: LinkPredictionModule, query: Query, k: int) -> list[Answer]:
    """The ``k`` best answers, best first; all of them if there are fewer.

    Raises:
        InputError: k is not positive, or a score is NaN or infinite.
    """
    if k < 1:
        raise InputError(f"k is {k}; at least 1 answer has to be asked for")
    graph = module.graph
    count = graph.num_relations if query.asked == "relation" else graph.num_entities
    candidates = torch.arange(count, device=module.device)
    triples = query.triples(candidates)
    if query.asked == "relation":
        scores = module.model.score_triples(triples)
    else:
        head_side = torch.tensor([query.asked == "head"], device=module.device)
        entity = triples[:1, 2 if query.asked == "head" else 0]
        scores = module.score_all(entity, triples[:1, 1], head_side)[0]
    if not scores.isfinite().all():
        worst = int((~scores.isfinite()).nonzero()[0])
        head, relation, tail = triples[worst].tolist()
        raise InputError(
            f"'{graph.describe((head, relation, tail))}' has a score that is NaN or infinite; the parameters have "
            "diverged: evaluate an earlier checkpoint, or train with a lower learning rate"
        )
    best = scores.topk(min(k, count))
    return [
        Answer(index, score, _splits_with(graph, triples[index].cpu()))
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def answer_table(graph: KnowledgeGraph, query: Query, answers: list[Answer]) -> Table:
    """Answers with labels."""
    vocabulary = graph.relations if query.asked == "relation" else graph.entities
    table = Table(title=query.describe(graph))
    table.add_column("rank", justify="right")
    table.add_column("answer")
    table.add_column("score", justify="right")
    table.add_column("known fact")
    for rank, answer in enumerate(answers, start=1):
        table.add_row(str(rank), vocabulary.labels[answer.candidate], f"{answer.score:.3f}", ", ".join(answer.known_in))
    return table


def _splits_with(graph: KnowledgeGraph, triple: Tensor) -> tuple[str, ...]:
    return tuple(name for name in SPLITS if bool((graph.split(name) == triple).all(1).any()))
