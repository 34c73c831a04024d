"""The contracts of the KGC loss: on sampled negatives, or on all entities."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from dhns.models.batch import EmbeddedQueries
from dhns.scorers.scorer import Scorer


class SampledLoss(nn.Module, ABC):
    """A loss on the scores of positives and of their sampled negatives; scores contain the scorer's margin."""

    @abstractmethod
    def terms(self, positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What attracts positives and what repels negatives; the loss is the sum of both.

        Args:
            positive: ``(B,)`` scores.
            negative: ``(B, N)`` scores.
            weight: ``(B, N)`` factors of the negatives' terms, from a sampler that weighs them.
        """

    def forward(self, positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
        """The sum of both terms."""
        positive_loss, negative_loss = self.terms(positive, negative, weight)
        return positive_loss + negative_loss


class AllEntityLoss(nn.Module, ABC):
    """A loss in which every entity is a candidate; it needs no negatives (``negatives=all``).

    A batch holds *all* known answers of its queries.
    """

    @abstractmethod
    def terms(self, scorer: Scorer, queries: EmbeddedQueries, table: Tensor) -> tuple[Tensor, Tensor]:
        """What attracts the answers and what repels everything else; the loss is the sum of both.

        Args:
            scorer: scores the queries.
            queries: those of the batch.
            table: ``(E, J)`` embeddings of all entities.
        """
