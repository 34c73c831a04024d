"""The encoder of OTKGE: features are transported into the space of the structure (Cao et al., NeurIPS 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.encoders.encoder import (
    STRUCTURE,
    Encoded,
    FeatureTable,
    WhenMissing,
)
from dhns.encoders.feature_views import FeatureEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.ranges import Count, NotNegative, Positive
from dhns.scorers.scorer import Scorer


class OptimalTransport(FeatureEncoder):
    """Structure and transported features in fixed shares, ``(1 - sum_m a_m) s + sum_m a_m v_m``, over present views.

    Where an entity lacks a modality, the shares of its other views are scaled to a sum of 1.

    Args:
        graph: brings the features; an entity may lack any of them.
        scorer: fixes the width and the initialisation.
        modalities: names of the modalities.
        shares: ``a_m`` of each; the structure has the rest.
        when_missing: one of ``modalities`` that the graph lacks; see `choose_modalities`. A modality that takes the
            place of all of them has the mean of ``shares``.
        entropy: epsilon of `transport_plan`.
        iterations: of `transport_plan`.

    Raises:
        InputError: a modality is missing and ``when_missing`` is ``stop``, or ``shares`` are not one number per
            modality, of at least 0 and a sum below 1.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        scorer: Scorer,
        modalities: Sequence[str] = ("visual", "textual"),
        shares: Sequence[NotNegative] = (0.1, 0.8),
        when_missing: WhenMissing = "stop",
        entropy: Positive = 0.1,
        iterations: Count = 100,
    ) -> None:
        super().__init__(graph, scorer, modalities, when_missing, needed=False)
        if len(shares) != len(modalities) or min(shares, default=0) < 0 or sum(shares) >= 1:
            raise InputError(
                f"encoder.shares is {list(shares)}; expected a number of at least 0 for each of encoder.modalities "
                f"{list(modalities)}, with a sum below 1: the structure has the rest"
            )
        names = self.modality_names
        given = dict(zip(modalities, shares, strict=True))
        self.shares = {STRUCTURE: 1 - sum(shares)} | {n: given.get(n, sum(shares) / len(shares)) for n in names}
        self.transports = nn.ModuleDict(
            {name: Transport(graph.modalities[name], self.width, entropy, iterations) for name in names}
        )
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Transport plans for the structure as it is now."""
        for transport in self.transports.values():
            transport.plan(self.structure.detach())  # type: ignore[operator]

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        structure, everywhere = self.structural_view(entity)
        views, present = {STRUCTURE: structure}, {STRUCTURE: everywhere}
        for name, transport in self.transports.items():
            views[name], present[name] = transport(entity)
        return Encoded(self.fuse(views, present), views, present)

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        weights = torch.stack([self.shares[name] * present[name] for name in self.view_names])
        weights = weights / weights.sum(0)
        # absent rows weigh 0 but must be finite, since 0 * nan is nan; transported zero rows are
        joint = weights[0, ..., None] * views[STRUCTURE]
        for weight, name in zip(weights[1:], self.modality_names, strict=True):
            joint = torch.addcmul(joint, weight[..., None], views[name])
        return joint


class Transport(nn.Module):
    """Features ``f`` of one modality in the space of the structure: ``f (T + Delta)``.

    ``T`` moves the *coordinates* of the features onto those of the structure: the optimal transport plan between them,
    with uniform marginals and the mean squared difference over the entities as cost, as a barycentric projection: a new
    coordinate is a convex combination of features, in the unit of the structure. ``Delta`` is learned, as in the
    published code, and does most of the work: plans are near uniform as long as coordinates hardly correlate.

    That code averages plans of the first ten entities, each with the cost of a single entity, multiplies the mean by a
    constant, and solves them at every step; this solves one plan per epoch with the cost over all entities that have
    the modality. There as here ``T`` is a constant for gradients. Features are centred and scaled to a mean square
    length of 1, and costs are in units of each space's own spread, since structure starts out a thousand times smaller.

    Args:
        modality: V frozen features, outside of the optimizer and the checkpoint.
        width: D of the structure.
        entropy: see `transport_plan`.
        iterations: see `transport_plan`.
    """

    projection: Tensor

    def __init__(self, modality: Modality, width: int, entropy: Positive, iterations: Count) -> None:
        super().__init__()
        self.entropy, self.iterations = entropy, iterations
        self.table = FeatureTable(Modality(centred(modality), modality.present))
        self.offset = nn.Parameter(nn.init.xavier_uniform_(torch.empty(modality.dim, width)))
        self.register_buffer("projection", torch.zeros(modality.dim, width))

    def forward(self, entity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(U, D)`` transported features, zero where absent, and ``(U,)`` bool presence."""
        features, present = self.table(entity)
        return features @ (self.projection + self.offset), present

    def plan(self, structure: Tensor) -> None:
        """Solve for ``T`` between the features and the ``(E, D)`` structure of the entities that have them."""
        features, present = self.table()
        cost, unit = coordinate_cost(features, structure * present[:, None])
        self.projection = transport_plan(cost, self.entropy, self.iterations) * (structure.shape[1] * unit)


def centred(modality: Modality) -> Tensor:
    """``(E, V)`` features less their mean, scaled to a mean square length of 1; zero where absent."""
    features = modality.features.float()
    features = torch.where(modality.present[:, None], features - features[modality.present].mean(0), 0)
    length: Tensor = torch.linalg.vector_norm(features) / modality.present.sum().sqrt()
    # features that are all the same are all zero here
    return features / length.clamp_min(torch.finfo(features.dtype).tiny)


def coordinate_cost(features: Tensor, structure: Tensor) -> tuple[Tensor, Tensor]:
    """Mean squared differences between the columns of two tables, each in units of its own root mean square.

    Args:
        features: ``(E, V)``.
        structure: ``(E, D)``; rows that do not count are zero in both.

    Returns:
        The ``(V, D)`` costs, and the unit of the structure in units of the features.
    """
    lengths = [torch.linalg.vector_norm(table, dim=0).square() for table in (features, structure)]
    feature_unit, structure_unit = (squares.mean().clamp_min(torch.finfo(squares.dtype).tiny) for squares in lengths)
    cross = features.T @ (structure / (feature_unit.sqrt() * structure_unit.sqrt()))
    cost = lengths[0][:, None] / feature_unit + lengths[1] / structure_unit - 2 * cross
    return cost, (structure_unit / feature_unit).sqrt()


def transport_plan(cost: Tensor, entropy: float, iterations: int) -> Tensor:
    """``(V, D)`` plan with uniform marginals of least ``<plan, cost> - entropy * H(plan)`` (Cuturi, NeurIPS 2013).

    Sinkhorn's iterations on logarithms, which do not underflow; a column always sums to ``1 / D``, and a row to
    ``1 / V`` once the iterations have converged.
    """
    kernel = -cost / entropy
    rows, columns = kernel.shape
    column = kernel.new_zeros(columns)
    row = kernel.new_zeros(rows)
    for _ in range(iterations):
        row = -math.log(rows) - (kernel + column).logsumexp(1)
        column = -math.log(columns) - (kernel + row[:, None]).logsumexp(0)
    plan: Tensor = (kernel + row[:, None] + column).exp()
    return plan
