"""Bernoulli negative sampling (Wang et al., AAAI 2014)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.cardinality import heads_per_tail, tails_per_head
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.negatives.sampler import EntitySampler
from dhns.ranges import Count


class BernoulliSampler(EntitySampler):
    """Replaces the head with probability ``tph / (tph + hpt)`` of the relation, so that fewer negatives are false.

    ``tph`` is the mean number of tails per head and ``hpt`` of heads per tail in the training triples. The side is
    drawn once per positive and holds for all of its negatives, as in the paper.
    """

    head_probability: Tensor

    def __init__(self, graph: KnowledgeGraph, num_negatives: Count = 64, filtered: bool = True) -> None:
        super().__init__(graph, num_negatives, filtered)
        self.register_buffer("head_probability", head_probability(graph), persistent=False)

    def head_side(self, triples: Tensor, step: int, rng: torch.Generator) -> Tensor:
        return drawn_sides(self.head_probability, triples, rng)


def head_probability(graph: KnowledgeGraph) -> Tensor:
    """``(relations,)`` with which probability a head is replaced: ``tph / (tph + hpt)``."""
    tails = tails_per_head(graph.train, graph.num_relations)
    return tails / (tails + heads_per_tail(graph.train, graph.num_relations))


def drawn_sides(probability: Tensor, triples: Tensor, rng: torch.Generator) -> Tensor:
    """``(B,)`` bool of triples ``(B, 3)``, true where the head is replaced, by the `head_probability` of relations."""
    return torch.rand(len(triples), generator=rng, device=triples.device) < probability[triples[:, 1]]
