"""The query's own entity as an answer: a number for how likely that is."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, embedding

from dhns.graph.queries import Queries

STEP = 10.0
"""By how much an optimizer's step moves a number: scores span tens, and parameters are initialised in hundredths."""


class OwnEntity(nn.Module):
    """A number per relation and side, added to the score of the entity that was asked about.

    Whether a relation joins entities to themselves, embeddings cannot say: what is nearest to an entity is that entity,
    and the more so the more the features that it is made of count. The number starts from the log-odds of a loop in
    train.

    Args:
        triples: ``(N, 3)`` those of train.
        num_relations: R.
    """

    prior: Tensor

    def __init__(self, triples: Tensor, num_relations: int) -> None:
        super().__init__()
        head, relation, tail = triples.unbind(1)
        count = relation.bincount(minlength=num_relations).double()
        loops = relation[head == tail].bincount(minlength=num_relations).double()
        share = (loops + 0.5) / (count + 1)  # the estimate of Krichevsky and Trofimov: neither none nor all of few
        self.register_buffer("prior", share.logit().float().repeat(2))
        self.learned = nn.Parameter(torch.zeros(2 * num_relations))

    def forward(self, queries: Queries) -> Tensor:
        """``(B,)`` what the score of each query's own entity is raised by."""
        row = queries.relation + queries.head_side * (len(self.learned) // 2)
        return self.prior[row] + STEP * embedding(row, self.learned[:, None])[:, 0]

    def raise_candidates(self, scores: Tensor, queries: Queries, candidates: Tensor) -> Tensor:
        """Scores ``(B, N)`` of candidates ``(B, N)`` or ``(1, N)``, raised where one is the query's own entity."""
        raised = scores + self(queries)[:, None].to(scores.dtype)
        return torch.where(candidates == queries.entity[:, None], raised, scores)

    def raise_all(self, scores: Tensor, queries: Queries) -> Tensor:
        """Scores ``(B, E)`` of all entities, raised in place."""
        return raise_own(scores, queries.entity, self(queries))

    def raise_triples(self, scores: Tensor, triples: Tensor) -> Tensor:
        """Scores ``(B,)`` of triples ``(B, 3)`` that answer queries of both sides, raised where one is a loop."""
        head, relation, tail = triples.unbind(1)
        heads = torch.ones_like(head, dtype=torch.bool)
        raised = (self(Queries(tail, relation, heads)) + self(Queries(head, relation, ~heads))) / 2
        return torch.where(head == tail, scores + raised.to(scores.dtype), scores)

    def loss(self, queries: Queries, own: Tensor, answer: Tensor, others: Tensor) -> Tensor:
        """Cross-entropy of "the own entity is the answer" against the answer and sampled negatives.

        Sampled negatives hold the own entity too rarely to learn from, and as a negative of every query it would push
        at the embeddings, which it must not: all scores are detached, so that this trains the numbers alone.

        Args:
            queries: B.
            own: ``(B,)`` scores of their entities, not raised.
            answer: ``(B,)`` ids of the answers.
            others: ``(B, 1 + N)`` scores of the answers and of the negatives.
        """
        is_own = answer == queries.entity
        others = others.detach().float()
        others = torch.cat([others[:, :1].masked_fill(is_own[:, None], -torch.inf), others[:, 1:]], dim=1)
        logit = own.detach().float() + self(queries) - others.logsumexp(1)
        return binary_cross_entropy_with_logits(logit, is_own.float())


def raise_own(scores: Tensor, own: Tensor, raised: Tensor) -> Tensor:
    """Scores ``(B, E)`` of all entities, those of entities ``own`` ``(B,)`` raised by ``raised`` ``(B,)`` in place."""
    row = torch.arange(len(scores), device=scores.device)
    return scores.index_put_((row, own), raised.to(scores.dtype), accumulate=True)
