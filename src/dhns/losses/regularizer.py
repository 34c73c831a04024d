"""Penalties on the size of embeddings."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from dhns.models.kge_model import KGEModel


class PowerNorm(nn.Module):
    """``weight * (sum |entities|^p + sum |relations|^p)``; with p = 3 the nuclear 3-norm of Lacroix et al. (ICML 2018).

    Args:
        weight: factor of the sum.
        p: power.
        rows: ``all`` penalises the whole tables at each step, as the DHNS code does; ``batch`` only the entities and
            relations of the step's triples, averaged over them.
    """

    def __init__(self, weight: float, p: float = 3.0, rows: Literal["all", "batch"] = "all") -> None:
        super().__init__()
        self.weight, self.p, self.rows = weight, p, rows

    def forward(self, model: KGEModel, triples: Tensor) -> Tensor:
        """The penalty for a step on triples ``(B, 3)``."""
        if self.rows == "all":
            return self.weight * sum_of_powers(model.encoder.structure, model.relations, p=self.p)
        ends = model.encoder.structure[triples[:, [0, 2]].flatten()]
        return self.weight * sum_of_powers(ends, model.relations[triples[:, 1]], p=self.p) / len(triples)


def sum_of_powers(*tables: Tensor, p: float) -> Tensor:
    """``sum |x|^p`` over all entries of all tables."""
    first, *others = (table.abs().pow(p).sum() for table in tables)
    return sum(others, first)
