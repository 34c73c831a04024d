"""N3 on the embeddings that are scored, as multimodal models with a softmax loss use it."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import embedding

from dhns.graph.queries import Queries
from dhns.losses.regularizer import Regularizer, sum_of_powers
from dhns.models.kge_model import KGEModel
from dhns.ranges import NotNegative, Positive


class FusedPowerNorm(Regularizer):
    """``weight * (sum |heads|^p + sum |relations|^p + sum |tails|^p)`` of a step's triples, averaged over them.

    Entities are penalised as the encoder fuses them, not as their structure alone, so that projections of features are
    held small too (the published code of RSME and of OTKGE). `PowerNorm` with ``rows="batch"`` is the same for an
    encoder without features.

    Args:
        weight: factor of the sum.
        p: power.
    """

    def __init__(self, weight: NotNegative, p: Positive = 3.0) -> None:
        super().__init__()
        self.weight, self.p = weight, p

    def forward(self, model: KGEModel, triples: Tensor, head_side: Tensor) -> Tensor:
        size = model.scorer.magnitudes
        encoded, (head, tail) = model.encode_distinct(triples[:, 0], triples[:, 2])
        entities = size(encoded.joint)
        relations = size(embedding(model.relation_rows(Queries.of(triples, head_side)), model.relations))
        return (
            self.weight
            * sum_of_powers([embedding(head, entities), relations, embedding(tail, entities)], self.p)
            / len(triples)
        )
