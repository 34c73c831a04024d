"""The squared loss over all triples, by Gram matrices (NS-KGE: Li et al., WWW 2021)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding

from dhns.losses.loss import AllEntityLoss
from dhns.models.batch import EmbeddedQueries
from dhns.ranges import NotNegative
from dhns.scorers.scorer import Scorer


class NonSamplingLoss(AllEntityLoss):
    """``sum_answers (s - s*)^2 + c sum_others s^2``, over all entities, divided by the number of answers.

    The others' sum is that over all entities less that over the answers. With scores ``s = q . e`` the former is
    ``sum_q sum_e (q . e)^2 = <Q^T Q, E^T E>``: two Gram matrices, and no score of a pair is ever computed. The target
    ``s*`` is 1, and for a scorer with a margin that margin, i.e. distance zero; all else has target 0, i.e. for TransE
    a squared distance of the margin. With ``normalize`` and margin 3 this is the TransE of the authors' code.

    The authors' sum also runs over pairs of entity and relation that no training triple has. Here it runs over the
    queries of the batch, all of which have answers: those are what is ranked, and steps can be small.

    Args:
        negative_weight: c, the weight of a triple that is not known to be true; that of a known one is 1. The paper
            tries 1e-1 to 1e-6, smaller for larger graphs, as all entities sum up.
    """

    def __init__(self, negative_weight: NotNegative = 0.03) -> None:
        super().__init__()
        self.negative_weight = negative_weight

    def terms(self, scorer: Scorer, queries: EmbeddedQueries, table: Tensor) -> tuple[Tensor, Tensor]:
        # differences of large sums: not in half precision
        with torch.autocast(table.device.type, enabled=False):
            query = scorer.query(queries.entity, scorer.directed(queries.relation, queries.head_side))
            query, table = scorer.factors(query, table)
            known = (embedding(queries.row, query) * embedding(queries.answer, table)).sum(1)
            everything = ((query.T @ query) * (table.T @ table)).sum()
            if queries.own is not None and queries.raised is not None:
                own = (query * embedding(queries.own, table)).sum(1)
                everything = everything + ((own + queries.raised).square() - own.square()).sum()
                is_own = queries.answer == queries.own[queries.row]
                known = known + embedding(queries.row, queries.raised[:, None])[:, 0] * is_own
            positive_loss = (known - (scorer.margin or 1.0)).square().mean()
            negative_loss = everything / len(known) - known.square().mean()
        return positive_loss, self.negative_weight * negative_loss
