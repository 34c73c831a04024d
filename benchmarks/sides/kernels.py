"""Single kernels of the project beside the plain formulas that they compute; both give the same numbers."""

from __future__ import annotations

import functools
from typing import Literal

import torch

from benchmarks.turns import Turns
from dhns.encoders.encoder import STRUCTURE, Encoded
from dhns.encoders.structural import StructuralEncoder
from dhns.generators.diffheg.chain import Chain
from dhns.generators.diffheg.denoiser import Denoiser
from dhns.generators.diffheg.generator import DiffHEG
from dhns.generators.diffheg.schedule import NoiseSchedule
from dhns.generators.levels import HardnessLevel
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.models.batch import EmbeddedPositives
from dhns.scorers.rotate import RotatE

Way = Literal["project", "plain"]


def scoring(turns: Turns, way: Way, entities: int, dim: int, batch: int, negatives: int) -> None:
    """RotatE on sampled negatives, forward and backward."""
    torch.manual_seed(0)
    scorer = RotatE(dim)
    query = torch.randn(batch, 2 * dim, requires_grad=True)
    table = torch.randn(entities, 2 * dim, requires_grad=True)
    index = torch.randint(entities, (batch, negatives))

    def score() -> None:
        plain = way == "plain"
        scores = scorer.match(query[:, None], table[index]) if plain else scorer.match_indexed(query, table, index)
        scores.sum().backward()  # type: ignore[no-untyped-call]

    turns.repeat(score)


def ranking(turns: Turns, way: Way, entities: int, dim: int, queries: int) -> None:
    """RotatE scores of all entities."""
    torch.manual_seed(0)
    scorer = RotatE(dim)
    query, table = torch.randn(queries, 2 * dim), torch.randn(entities, 2 * dim)
    turns.repeat(lambda: scorer.match(query[:, None], table) if way == "plain" else scorer.match_all(query, table))


def generation(turns: Turns, dim: int, positives: int, sampling_steps: int | None) -> None:
    """DiffHEG negatives on both sides at four levels by a chain of 50 steps, or a strided one."""
    torch.manual_seed(0)
    scorer = RotatE(dim)
    nothing = torch.empty(0, 3, dtype=torch.int64)
    names = Vocabulary("entity", ("e",), ("e",)), Vocabulary("relation", ("r",), ("r",))
    generator = DiffHEG(
        StructuralEncoder(KnowledgeGraph("empty", *names, nothing, nothing, nothing), scorer),
        scorer,
        [HardnessLevel(time=time) for time in (0.05, 0.1, 0.2, 0.5)],
        NoiseSchedule("cosine", 50),
        functools.partial(Denoiser, hidden_factor=2.0),
        chain=Chain(sampling_steps),
    )

    def vectors() -> Encoded:
        view = torch.randn(positives, 2 * dim)
        return Encoded(view, {STRUCTURE: view}, {STRUCTURE: torch.ones(positives, dtype=torch.bool)})

    embedded = EmbeddedPositives(vectors(), torch.randn(positives, dim), vectors())
    random = torch.Generator()
    turns.repeat(lambda: generator.generate(embedded, random))
