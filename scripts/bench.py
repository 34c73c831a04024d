"""Ratios of this program's kernels to the plain formula, side by side in one process: `make bench`.

Each pair does the same work and gives the same numbers; runs alternate, and the median of several is printed.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from dhns.diffheg.denoiser import Denoiser
from dhns.diffheg.generator import DiffHEG
from dhns.diffheg.levels import HardnessLevel
from dhns.diffheg.negatives import EmbeddedPositives
from dhns.diffheg.schedule import NoiseSchedule
from dhns.encoders.encoder import STRUCTURE, Encoded
from dhns.encoders.structural import StructuralEncoder
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.scorers.rotate import RotatE

ENTITIES, DIM, BATCH, NEGATIVES = 15_000, 128, 512, 64
REPEATS = 5
Work = Callable[[], object]


def alternate(plain: Work, ours: Work) -> tuple[float, float]:
    """Median seconds of both, run in turn after one warm-up each."""
    seconds: dict[Work, list[float]] = {plain: [], ours: []}
    for work in [plain, ours] * (1 + REPEATS):
        started = time.perf_counter()
        work()
        seconds[work].append(time.perf_counter() - started)
    return statistics.median(seconds[plain][1:]), statistics.median(seconds[ours][1:])


def scoring() -> tuple[Work, Work]:
    """RotatE on sampled negatives, forward and backward."""
    scorer = RotatE(DIM)
    query = torch.randn(BATCH, 2 * DIM, requires_grad=True)
    table = torch.randn(ENTITIES, 2 * DIM, requires_grad=True)
    index = torch.randint(ENTITIES, (BATCH, NEGATIVES))
    return (
        lambda: scorer.match(query[:, None], table[index]).sum().backward(),
        lambda: scorer.match_indexed(query, table, index).sum().backward(),
    )


def ranking() -> tuple[Work, Work]:
    """RotatE scores of all entities for 32 queries."""
    scorer = RotatE(DIM)
    query, table = torch.randn(32, 2 * DIM), torch.randn(ENTITIES, 2 * DIM)
    return lambda: scorer.match(query[:, None], table), lambda: scorer.match_all(query, table)


def generation() -> tuple[Work, Work]:
    """Negatives for 256 positives, both sides, four levels: the full DDPM chain and 8 strided steps."""
    scorer = RotatE(DIM)
    levels = [HardnessLevel(time=t) for t in (0.05, 0.1, 0.2, 0.5)]
    nothing = torch.empty(0, 3, dtype=torch.int64)
    names = Vocabulary("entity", ("e",), ("e",)), Vocabulary("relation", ("r",), ("r",))
    encoder = StructuralEncoder(KnowledgeGraph("empty", *names, nothing, nothing, nothing), scorer)

    def generator(sampling_steps: int | None) -> DiffHEG:
        denoiser = functools.partial(Denoiser, hidden_factor=2.0)
        return DiffHEG(encoder, scorer, levels, NoiseSchedule("cosine", 50), denoiser, sampling_steps=sampling_steps)

    def vectors() -> Encoded:
        view = torch.randn(256, 2 * DIM)
        return Encoded(view, {STRUCTURE: view}, {STRUCTURE: torch.ones(256, dtype=torch.bool)})

    positives = EmbeddedPositives(vectors(), torch.randn(256, DIM), vectors())
    full, strided, random = generator(None), generator(8), torch.Generator()
    return lambda: full.generate(positives, random), lambda: strided.generate(positives, random)


def main() -> None:
    """Print the table."""
    table = Table(title=f"medians of {REPEATS}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for column in ("work", "baseline", "baseline s", "ours s", "times faster"):
        table.add_column(column, justify="left" if column in ("work", "baseline") else "right")
    for name, baseline, make in (
        (f"RotatE {BATCH} x {NEGATIVES} negatives, forward + backward", "gather, then plain formula", scoring),
        (f"RotatE 32 queries x {ENTITIES} entities", "plain formula", ranking),
        ("DiffHEG negatives, 256 positives", "full chain of 50 steps", generation),
    ):
        plain, ours = alternate(*make())
        table.add_row(name, baseline, f"{plain:.3f}", f"{ours:.3f}", f"{plain / ours:.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
