"""Several trained models of one graph answer together: their scores, standardised per query, are averaged."""

from __future__ import annotations

import itertools
import json
import math
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dhns.config.starting_points import BLEND
from dhns.console import track
from dhns.errors import InputError
from dhns.files import link, write_json
from dhns.graph.queries import Queries, answers
from dhns.ranking.evaluation import queries_per_chunk
from dhns.ranking.ranks import filtered_ranks
from dhns.results.provenance import QUERIES
from dhns.results.ranks import FILE_NAME as RANKS_FILE
from dhns.results.store import FILE_NAME as RESULT_FILE
from dhns.training.checkpoint import find_checkpoint, load_module
from dhns.training.module import LinkPredictionModule
from dhns.training.saved_graph import FEATURES, save_graph
from dhns.training.saved_graph import FILE_NAME as GRAPH_FILE

MEMBERS = "members"
"""Folder of a blend that holds what its members are."""
MOST_CANDIDATES = 70
"""How many weights are tried at most: twentieths for two models, tenths for three, coarser ones for more."""


class Blend(nn.Module):
    """Scores of several models, weighted.

    A model's scores of all answers to a query are standardised first, to mean 0 and deviation 1: models of different
    scorers and margins have different units.

    Args:
        members: trained on the same triples, names in the same order.
        weights: one per member, not negative; they are divided by their sum.

    Raises:
        InputError: members of different graphs, or weights that do not go with them.
    """

    def __init__(self, members: Sequence[LinkPredictionModule], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        _require_one_graph(members)
        self.members = nn.ModuleList(members)
        weights = [1.0] * len(members) if weights is None else weights
        if len(weights) != len(members) or not _are_weights(weights):
            raise InputError(
                f"weights is {list(weights)}; expected {len(members)} numbers, one per run, none negative and not all 0"
            )
        self.weights = [weight / sum(weights) for weight in weights]
        first = members[0]
        self.graph, self.known, self.metric = first.graph, first.known, first.metric

    @property
    def device(self) -> torch.device:
        """Of the members."""
        return self.known.answers.device

    @property
    def score_triples(self) -> None:
        """Standardised scores belong to all answers of a query; a triple by itself has none."""

    def standardised(self, queries: Queries) -> Iterator[Tensor]:
        """``(B, E)`` fp32 scores of each member."""
        return (_standardised(member.score_all(queries).float()) for member in self.members)  # type: ignore[operator]

    def score_all(self, queries: Queries) -> Tensor:
        """``(B, E)`` fp32 scores of every entity."""
        return _mean(self.weights, self.standardised(queries))

    def score_among(self, queries: Queries, candidates: Tensor) -> Tensor:
        """``(B, C)`` fp32 scores of entities ``(C,)``; they are standardised among all, so all are scored."""
        rows = torch.arange(len(queries.entity), device=candidates.device)
        chunks = torch.split(rows, queries_per_chunk(self.graph.num_entities * len(self.members)))
        return torch.cat([self.score_all(queries.rows(some))[:, candidates] for some in chunks])

    def score_relations(self, triples: Tensor) -> Tensor:
        """``(R,)`` fp32 scores of triples ``(R, 3)`` that differ in their relation."""
        scores = (member.score_relations(triples)[None] for member in self.members)  # type: ignore[operator]
        return _mean(self.weights, map(_standardised, scores))[0]

    def start_ranking(self) -> None:
        """Encode the entities of all members once."""
        for member in self.members:
            member.start_ranking()  # type: ignore[operator]

    def end_ranking(self) -> None:
        """Let go of the encoded entities."""
        for member in self.members:
            member.end_ranking()  # type: ignore[operator]


@dataclass(frozen=True)
class Choice:
    """Weights and their filtered MRR on the validation split."""

    weights: tuple[float, ...]
    mrr: float


@torch.no_grad()
def try_weights(blend: Blend, show_progress: bool = False) -> list[Choice]:
    """The validation MRR of evenly spaced weights, best first; of equals, those nearest to equal weights.

    Raises:
        InputError: the graph has no validation split.
    """
    graph = blend.graph
    if not len(graph.valid):
        raise InputError(f"{graph.name} has no validation triples to choose weights on; give them: weights=[0.5,0.5]")
    candidates = weight_grid(len(blend.members))
    total = torch.zeros(len(candidates), dtype=torch.float64)
    size = queries_per_chunk(graph.num_entities * len(blend.members))
    chunks = torch.split(graph.valid.to(blend.device), size)
    blend.start_ranking()
    for triples, asked in track(list(itertools.product(chunks, (False, True))), "Weights", show_progress):
        head_side = torch.full_like(triples[:, 0], asked, dtype=torch.bool)
        queries, answer = Queries.of(triples, head_side), answers(triples, head_side)
        distinct, row = queries.distinct(graph.num_relations)
        scores, known = list(blend.standardised(distinct)), blend.known.lookup(queries)
        for number, weights in enumerate(candidates):
            ranks = filtered_ranks(_mean(weights, scores), answer, *known, row)
            total[number] += ranks.realistic.reciprocal().sum().cpu()
    blend.end_ranking()
    mrr = (total / (2 * len(graph.valid))).tolist()
    found = [Choice(weights, value) for weights, value in zip(candidates, mrr, strict=True)]
    return sorted(found, key=lambda choice: (-choice.mrr, max(choice.weights)))


def weight_grid(members: int) -> list[tuple[float, ...]]:
    """Equal weights, and all multiples of ``1 / n`` for the greatest n up to 20 that leaves few enough."""
    parts = next(n for n in range(20, 0, -1) if n == 1 or math.comb(n + members - 1, n) <= MOST_CANDIDATES)
    steps = itertools.combinations_with_replacement(range(members), parts)
    return [(1 / members,) * members, *(tuple(step.count(m) / parts for m in range(members)) for step in steps)]


def load_ranker(
    path: Path,
    device: torch.device | str = "cpu",
    dataset: Mapping[str, Any] | None = None,
    trusted: Collection[str] = (),
) -> LinkPredictionModule | Blend:
    """What a folder holds, a blend or a run; or the module of a checkpoint file. See `load_module`.

    Raises:
        InputError: the blend is damaged, or see `load_module`.
    """
    file = path / BLEND
    if not file.is_file():
        return load_module(path, device, dataset, trusted)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        weights = [float(weight) for weight in content["weights"]]
        names = [str(name) for name in content["members"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no readable blend ({error}); make it again: dhns blend") from None
    return Blend([load_module(path / name, device, dataset, trusted) for name in names], weights)


def save_blend(blend: Blend, runs: Sequence[Path], folder: Path) -> None:
    """Write what `load_ranker` needs: weights, and checkpoints and graphs as hard links to those of the runs.

    Of a blend that lies there nothing stays; the runs may be its members.
    """
    fresh, names = folder / f"{MEMBERS}.new", []
    shutil.rmtree(fresh, ignore_errors=True)
    for number, (run, member) in enumerate(zip(runs, blend.members, strict=True)):
        checkpoint, place = find_checkpoint(run), fresh / str(number)
        names.append(f"{MEMBERS}/{number}/{checkpoint.name}")
        link(checkpoint, place / checkpoint.name)
        home = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
        kept = [home / GRAPH_FILE, *sorted((home / FEATURES).glob("*.safetensors"))]
        if kept[0].is_file():
            for file in kept:
                link(file, place / file.relative_to(home))
        else:
            save_graph(member.graph, place, folder)  # type: ignore[arg-type]
    for former in (RESULT_FILE, RANKS_FILE, BLEND):
        (folder / former).unlink(missing_ok=True)
    shutil.rmtree(folder / MEMBERS, ignore_errors=True)
    fresh.rename(folder / MEMBERS)
    write_json(folder / BLEND, {"members": names, "weights": blend.weights})


def _standardised(scores: Tensor) -> Tensor:
    """Rows of mean 0 and deviation 1; of zeros where all scores are equal."""
    centred = scores - scores.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    return centred / deviation.clamp_min(torch.finfo(scores.dtype).tiny)


def _mean(weights: Sequence[float], scores: Any) -> Tensor:
    total: Tensor | None = None
    for weight, each in zip(weights, scores, strict=True):
        total = weight * each if total is None else total.add_(each, alpha=weight)
    assert total is not None
    return total


def _are_weights(values: Sequence[float]) -> bool:
    """Whether they can be divided by their sum."""
    return all(value >= 0 for value in values) and 0 < sum(values) < math.inf


def _require_one_graph(members: Sequence[LinkPredictionModule]) -> None:
    if len(members) < 2:
        raise InputError(f"a blend is of two runs or more; {len(members)} is given")
    first = members[0]
    for member in members[1:]:
        differing = [part for part in QUERIES if first.fingerprints[part] != member.fingerprints[part]]
        if differing:
            raise InputError(
                f"the runs are of different graphs ({first.graph.name}, {member.graph.name}): their "
                f"{', '.join(differing)} differ; blend runs of the same data set and protocol"
            )
