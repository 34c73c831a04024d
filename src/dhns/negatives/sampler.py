"""The contract of negative samplers, and what uniform and Bernoulli sampling share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.optim.optimization import Optimization
from dhns.ranges import Count


class NegativeSampler(nn.Module, ABC):
    """Draws negatives; a sampler that learns has parameters, and an optimizer of its own.

    A subclass is made from ``graph=`` and settings, and implements `forward`; what it carries from step to step is
    buffers, so that a resumed run goes on as it would have. `EntitySampler` draws uniformly for a side of one's own, or
    otherwise where `draw` is overridden. `dhns.testing.check_sampler` holds it to its contract.

    Attributes:
        num_negatives: N, negatives per positive.
        reads_features: whether it takes features where the settings name some, and so cannot do without their files.
        optimization: how its parameters are trained, by ``loss`` and through ``weight`` of its negatives.
    """

    reads_features: ClassVar[bool] = False
    num_negatives: int
    optimization: Optimization | None = None

    @abstractmethod
    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        """Negatives for positives ``(B, 3)``.

        Args:
            triples: rows ``(head, relation, tail)``.
            step: batches drawn so far, for samplers that alternate.
            rng: the only source of randomness.
            model: what is trained, for samplers that look at its scores (without gradients).
        """


class EntitySampler(NegativeSampler):
    """Draws entities uniformly; a subclass chooses the side.

    Args:
        graph: its training triples are what counts as known.
        num_negatives: N, negatives per positive.
        filtered: never draw a known training answer (exactly, without rejection).
    """

    def __init__(self, graph: KnowledgeGraph, num_negatives: Count = 64, filtered: bool = True) -> None:
        super().__init__()
        require_negatives(num_negatives)
        self.num_entities = graph.num_entities
        self.num_negatives = num_negatives
        self.known = KnownAnswers(graph.train, graph.num_entities, graph.num_relations) if filtered else None

    @abstractmethod
    def head_side(self, triples: Tensor, step: int, rng: torch.Generator) -> Tensor:
        """``(B,)`` bool: the positives whose head is to be replaced."""

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = self.ask(triples, step, rng)
        return Negatives(queries, self.draw(queries, self.num_negatives, rng))

    def ask(self, triples: Tensor, step: int, rng: torch.Generator) -> Queries:
        """The queries ``(B,)`` to which negatives are drawn, one of each positive."""
        return Queries.of(triples, self.head_side(triples, step, rng))

    def draw(self, queries: Queries, count: int, rng: torch.Generator) -> Tensor:
        """``(B, count)`` entities that answer the queries wrongly."""
        if self.known is None:
            shape, device = (len(queries.entity), count), queries.entity.device
            return torch.randint(self.num_entities, shape, generator=rng, device=device)
        return self.known.sample_unknown(queries, count, rng)


def require_negatives(count: int) -> None:
    """Raise `InputError` unless there is at least one negative."""
    if count < 1:
        raise InputError(f"negatives.num_negatives is {count}; at least 1 is needed")


def choose_sides(
    sides: Literal["alternating", "random"], count: int, step: int, rng: torch.Generator, device: torch.device
) -> Tensor:
    """``(count,)`` bool, true where the head is replaced: in every second batch, or by a coin per positive."""
    if sides == "alternating":
        return torch.full((count,), step % 2 == 1, device=device)
    return torch.rand(count, generator=rng, device=device) < 0.5
