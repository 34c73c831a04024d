"""One draw of negatives for a whole batch."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives
from dhns.models.kge_model import KGEModel
from dhns.negatives.bernoulli import drawn_sides, head_probability
from dhns.negatives.sampler import NegativeSampler, choose_sides, require_negatives
from dhns.ranges import Count


class SharedSampler(NegativeSampler):
    """The same uniformly drawn entities corrupt every positive of a batch.

    N rows are read instead of ``B * N``, and scores are a matrix product where the scorer has one, so that hundreds of
    negatives cost what a few of their own do. They are less varied: all positives push against the same entities.

    Args:
        graph: its training triples are what counts as known.
        num_negatives: N, entities per batch.
        sides: see `UniformSampler`; ``bernoulli``: by the relation, see `BernoulliSampler`.
        filtered: give known training answers among them the weight 0.
    """

    head_probability: Tensor | None

    def __init__(
        self,
        graph: KnowledgeGraph,
        num_negatives: Count = 512,
        sides: Literal["alternating", "random", "bernoulli"] = "alternating",
        filtered: bool = True,
    ) -> None:
        super().__init__()
        require_negatives(num_negatives)
        self.num_entities, self.num_negatives, self.sides = graph.num_entities, num_negatives, sides
        probability = head_probability(graph) if sides == "bernoulli" else None
        self.register_buffer("head_probability", probability, persistent=False)
        self.known = KnownAnswers(graph.train, graph.num_entities, graph.num_relations) if filtered else None

    def forward(self, triples: Tensor, step: int, rng: torch.Generator, model: KGEModel) -> Negatives:
        queries = Queries.of(triples, self.head_side(triples, step, rng))
        drawn = torch.randint(self.num_entities, (self.num_negatives,), generator=rng, device=triples.device)
        weight = None
        if self.known is not None:
            weight = (~self.known.among(queries, drawn)).to(torch.float32)
        return Negatives(queries, drawn[None], weight=weight)

    def head_side(self, triples: Tensor, step: int, rng: torch.Generator) -> Tensor:
        """``(B,)`` bool, true where the head is replaced."""
        if self.sides == "bernoulli":
            assert self.head_probability is not None
            return drawn_sides(self.head_probability, triples, rng)
        return choose_sides(self.sides, len(triples), step, rng, triples.device)
