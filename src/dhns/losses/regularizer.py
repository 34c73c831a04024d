"""Penalties on the size of embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import embedding

from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel
from dhns.ranges import NotNegative, Positive


class Regularizer(nn.Module, ABC):
    """A penalty that a step adds to the loss of the model."""

    @abstractmethod
    def forward(self, model: KGEModel, triples: Tensor, head_side: Tensor) -> Tensor:
        """The penalty for a step on triples ``(B, 3)``, asked for the sides ``(B,)``."""


class PowerNorm(Regularizer):
    """``weight * (sum |entities|^p + sum |relations|^p)``; with p = 3 the nuclear 3-norm of Lacroix et al. (ICML 2018).

    The numbers whose size is taken are the scorer's: moduli for complex vectors.

    Args:
        weight: factor of the sum.
        p: power.
        rows: ``all`` penalises the whole tables at each step, as the DHNS code does; ``batch`` the entities and
            relations of the step's triples, averaged over them: the weighted norm, as frequent rows count more.
    """

    def __init__(self, weight: NotNegative, p: Positive = 3.0, rows: Literal["all", "batch"] = "all") -> None:
        super().__init__()
        self.weight, self.p, self.rows = weight, p, rows

    def forward(self, model: KGEModel, triples: Tensor, head_side: Tensor) -> Tensor:
        size = model.scorer.magnitudes
        if self.rows == "all":
            return self.weight * sum_of_powers([size(model.encoder.structure), size(model.relations)], self.p)
        ends, _ = model.encoder.structural_view(triples[:, ::2].flatten())
        relations = embedding(model.relation_rows(Queries.of(triples, head_side)), model.relations)
        return self.weight * sum_of_powers([size(ends), size(relations)], self.p) / len(triples)


def sum_of_powers(sizes: Iterable[Tensor], p: float) -> Tensor:
    """``sum x^p`` over all entries, which are not negative, of all tensors."""
    first, *others = (size.pow(p).sum() for size in sizes)
    return sum(others, first)
