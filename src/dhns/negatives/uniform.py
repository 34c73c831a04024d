"""Uniform negative sampling (Bordes et al., NeurIPS 2013)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.negatives.sampler import EntitySampler, choose_sides
from dhns.ranges import Count


class UniformSampler(EntitySampler):
    """Replaces heads and tails equally often.

    Args:
        graph: see `EntitySampler`.
        num_negatives: N, negatives per positive.
        sides: ``alternating`` replaces tails in one batch and heads in the next, as the DHNS code does (and as the
            RotatE code does); ``random`` tosses a coin for each positive.
        filtered: never draw a known training answer.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 64,
        sides: Literal["alternating", "random"] = "alternating",
        filtered: bool = True,
    ) -> None:
        super().__init__(graph, num_negatives, filtered)
        self.sides = sides

    def head_side(self, triples: Tensor, step: int, rng: torch.Generator) -> Tensor:
        return choose_sides(self.sides, len(triples), step, rng, triples.device)
