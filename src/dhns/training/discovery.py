"""The most plausible triples that no split holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.candidates import CandidateEntities, Candidates
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.progress import progress
from dhns.ranking.evaluation import queries_per_chunk
from dhns.training.calibration import Calibration
from dhns.training.ranker import Ranker, ranking

_HEADS = 1 << 12  # asked for at once, however few the tails


@dataclass
class _Best:
    """The n best triples so far: ``(n, 3)``, with scores ``(n,)``."""

    count: int
    triples: Tensor = field(default_factory=lambda: torch.empty(0, 3, dtype=torch.int64))
    scores: Tensor = field(default_factory=lambda: torch.empty(0))

    def add(self, scores: Tensor, queries: Queries, tails: Tensor) -> None:
        """Take what is better from scores ``(B, T)`` of tails ``(T,)``; ``-inf`` is never taken."""
        # row by row: torch copies what it takes the best of, at four times its size
        best = scores.topk(min(self.count, len(tails)), dim=1)
        least = self.scores[-1].item() if len(self.scores) == self.count else -torch.inf
        row, place = (best.values > least).nonzero(as_tuple=True)
        tail = tails[best.indices[row, place]]
        triples = torch.stack([queries.entity[row], queries.relation[row], tail], dim=1).cpu()
        found = torch.cat([self.scores, best.values[row, place].cpu()])
        scores, order = found.sort(descending=True, stable=True)
        self.triples = torch.cat([self.triples, triples])[order[: self.count]]
        self.scores = scores[: self.count]


def discover(
    ranker: Ranker,
    relations: Sequence[int] | None = None,
    n: int = 100,
    each_relation: bool = False,
    candidates: Candidates = "seen",
) -> tuple[Tensor, Tensor]:
    """The ``n`` triples that score highest, as tails of their heads and relations, and that the graph does not hold.

    Every head of a relation is asked for every tail. A triple of one entity twice counts only where the relation has
    one in train: what is nearest to an entity is that entity. Memory is that of a chunk of scores and of what is
    returned.

    Args:
        ranker: what scores.
        relations: ids; all of them if None.
        n: triples to find.
        each_relation: find that many of every relation.
        candidates: which heads and tails are tried; ``all`` makes their number the square of that of entities.

    Returns:
        ``(m, 3)`` triples and ``(m,)`` fp32 scores, best first; of every relation, in the order of ``relations``.

    Raises:
        InputError: n is not positive, or a score is NaN or infinite.
    """
    if n < 1:
        raise InputError(f"n is {n}; at least 1 triple has to be asked for")
    graph = ranker.graph
    chosen = list(dict.fromkeys(range(graph.num_relations) if relations is None else relations))
    source = CandidateEntities(graph, candidates)
    loops = set(graph.train[graph.train[:, 0] == graph.train[:, 2], 1].tolist())
    work = sum(len(source.of(relation, True)) * len(source.of(relation, False)) for relation in chosen)
    found = {relation: _Best(n) for relation in chosen} if each_relation else dict.fromkeys(chosen, _Best(n))
    with ranking(ranker), torch.no_grad(), progress("Discovering", work) as advance:
        for relation in chosen:
            tails = source.of(relation, False).to(ranker.device)
            for queries in _queries(source.of(relation, True).to(ranker.device), relation, len(tails)):
                scores = ranker.score_among(queries, tails).float()
                if not all(torch.stack(scores.aminmax()).isfinite().tolist()):
                    raise InputError(
                        f"relation '{graph.relations.labels[relation]}' has a score that is NaN or infinite; the "
                        "parameters have diverged: use an earlier checkpoint"
                    )
                scores.masked_fill_(ranker.known.among(queries, tails), -torch.inf)
                if relation not in loops:
                    scores.masked_fill_(queries.entity[:, None] == tails, -torch.inf)
                found[relation].add(scores, queries, tails)
                advance(scores.numel())
    lists = list(found.values()) if each_relation else [found[relation] for relation in chosen[:1]]
    triples = [best.triples for best in lists] or [torch.empty(0, 3, dtype=torch.int64)]
    return torch.cat(triples), torch.cat([best.scores for best in lists] or [torch.empty(0)])


def discovery_rows(
    graph: KnowledgeGraph, triples: Tensor, scores: Tensor, calibration: Calibration | None
) -> list[dict[str, Any]]:
    """Triples by key, with their scores and, where the model is calibrated, probabilities."""
    entities, relations = graph.entities.keys, graph.relations.keys
    chances = [None] * len(scores) if calibration is None else calibration.probability(scores).tolist()
    return [
        {"head": entities[head], "relation": relations[relation], "tail": entities[tail], "score": score}
        | ({} if chance is None else {"probability": chance})
        for (head, relation, tail), score, chance in zip(triples.tolist(), scores.tolist(), chances, strict=True)
    ]


def _queries(heads: Tensor, relation: int, tails: int) -> Iterator[Queries]:
    """For tails of a relation, by as many heads as fit into a chunk."""
    size = min(_HEADS, queries_per_chunk(max(1, tails)))
    for some in torch.split(heads, size) if len(heads) and tails else ():
        yield Queries(some, torch.full_like(some, relation), torch.zeros_like(some, dtype=torch.bool))
