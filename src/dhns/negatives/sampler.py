"""The contract of negative samplers, and what uniform and Bernoulli sampling share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph


class Negatives(NamedTuple):
    """N corrupted triples for each of B positives; all of one positive are corrupted on the same side.

    Attributes:
        entity: ``(B, N)`` ids that replace the head or the tail.
        head_side: ``(B,)`` bool, true where the head is replaced.
    """

    entity: Tensor
    head_side: Tensor


class EntitySampler(nn.Module, ABC):
    """Draws entities uniformly; a subclass chooses the side.

    Args:
        graph: its training triples are what counts as known.
        num_negatives: N, negatives per positive.
        filtered: never draw a known training answer (exactly, without rejection).
    """

    def __init__(self, graph: KnowledgeGraph, num_negatives: int = 64, filtered: bool = True) -> None:
        super().__init__()
        if num_negatives < 1:
            raise InputError(f"negatives.num_negatives is {num_negatives}; at least 1 is needed")
        self.num_entities = graph.num_entities
        self.num_negatives = num_negatives
        self.known = KnownAnswers(graph.train, graph.num_entities, graph.num_relations) if filtered else None

    @abstractmethod
    def head_side(self, triples: Tensor, step: int, generator: torch.Generator) -> Tensor:
        """``(B,)`` bool: the positives whose head is to be replaced."""

    def forward(self, triples: Tensor, step: int, generator: torch.Generator) -> Negatives:
        """Negatives for positives ``(B, 3)``.

        Args:
            triples: rows ``(head, relation, tail)``.
            step: batches drawn so far, for samplers that alternate.
            generator: the only source of randomness.
        """
        head_side = self.head_side(triples, step, generator)
        if self.known is None:
            shape = (len(triples), self.num_negatives)
            entity = torch.randint(self.num_entities, shape, generator=generator, device=triples.device)
        else:
            observed = torch.where(head_side, triples[:, 2], triples[:, 0])
            entity = self.known.sample_unknown(observed, triples[:, 1], head_side, self.num_negatives, generator)
        return Negatives(entity, head_side)
