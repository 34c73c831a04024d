"""The hardest negatives that there are: real entities that the model scores highest, found by scoring them."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries, answers
from dhns.models.batch import Negatives
from dhns.models.current_scores import current_scores, current_scores_of_all
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import BernoulliSampler
from dhns.ranges import Count, Whole


class HardestSampler(BernoulliSampler):
    """The N entities that the model, as it is in this step, scores highest among the wrong answers.

    An oracle: caches, generators and learned samplers look for such entities without scoring all of them, so at
    hardness alone none can beat it. Scoring all entities costs what a ranking of the batch costs; a pool costs less.

    Where there are fewer than N wrong answers they are repeated, the hardest first.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive.
        pool: entities drawn for each positive, out of which the hardest are taken; null: all entities.
        skip: leave out so many of the hardest, which are true more often than others.
        filtered: known training answers are no wrong answers; false takes them for such, all but the positive's own.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 64,
        pool: Count | None = None,
        skip: Whole = 0,
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        self.pool, self.skip = pool, skip

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        answer = answers(triples, queries.head_side)
        if self.pool is not None:
            pool = self.draw(queries, self.pool, rng)
            scores, wrong = current_scores(model, queries, pool), pool != answer[:, None]
            return Negatives(queries, pool.gather(1, self._hardest(scores, wrong)))
        scores = current_scores_of_all(model, queries)
        return Negatives(queries, self._hardest(scores, wrong_answers(queries, answer, self.num_entities, self.known)))

    def _hardest(self, scores: Tensor, wrong: Tensor) -> Tensor:
        """``(B, N)`` columns of the highest scores ``(B, P)`` of wrong answers ``(B, P)``, without the skipped ones."""
        count = wrong.sum(1, keepdim=True)
        # where every entity is an answer nothing wrong exists, and all count, as in `KnownAnswers.sample_unknown`
        wrong, count = wrong | (count == 0), torch.where(count == 0, wrong.shape[1], count)
        wanted = min(self.skip + self.num_negatives, scores.shape[1])
        order = scores.masked_fill(~wrong, -torch.inf).topk(wanted).indices
        first = (count - 1).clamp(max=min(self.skip, wanted - 1))
        place = torch.arange(self.num_negatives, device=scores.device)
        return order.gather(1, first + place % (count.clamp(max=wanted) - first))


def wrong_answers(queries: Queries, answer: Tensor, num_entities: int, known: KnownAnswers | None) -> Tensor:
    """``(B, E)`` bool: the entities that are neither the answers ``(B,)`` nor, if those are given, known ones."""
    wrong = torch.ones(len(answer), num_entities, dtype=torch.bool, device=answer.device)
    wrong.scatter_(1, answer[:, None], False)
    if known is not None:
        wrong[known.lookup(queries)] = False
    return wrong
