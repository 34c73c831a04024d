"""Entities that come after training: a model is told of them, and not trained anew.

What a model knows of an entity beside its features is a row of a table, its structure. A newcomer's row is guessed from
its features, by a linear map that is fitted on the entities of train (ridge regression), then fitted to its triples, if
it has some, with everything else as it was: the answers about all others stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.index import KnownAnswers
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.graph.queries import Queries
from dhns.ranking.evaluation import queries_per_chunk
from dhns.training.build import build_module
from dhns.training.module import LinkPredictionModule

STRUCTURE_TABLE = "model.encoder.structure"
PENALTIES = tuple(10.0**power for power in range(-3, 5))
"""Of ridge regression, in units of the mean variance of a feature; the one of least generalised cross-validation."""
STEP = 0.1
"""Of the fit to triples, in deviations of the table."""
PULL = 0.1
"""Weight of the squared distance from the guess, in variances of the table."""


def with_entities(
    module: LinkPredictionModule, graph: KnowledgeGraph, triples: Tensor | None = None, steps: int = 100
) -> LinkPredictionModule:
    """The module on a graph with more entities.

    Args:
        module: trained; it stays as it is.
        graph: see `dhns.graph.newcomers.graph_with`.
        triples: ``(n, 3)`` of the newcomers, with each other or with entities that the model knows.
        steps: of the fit to them.

    Raises:
        InputError: the model keeps more of an entity than its structure, or what it makes of one depends on the others,
            so that a newcomer would change its answers; a triple has no newcomer.
    """
    before, device = module.graph.num_entities, module.device
    triples = torch.empty(0, 3, dtype=torch.int64) if triples is None else triples.cpu()
    if known := next((row for row in triples.tolist() if max(row[0], row[2]) < before), None):
        raise InputError(
            f"{graph.describe((known[0], known[1], known[2]))} has no new entity; give triples of new ones only"
        )
    learnt = replace(graph, train=torch.cat([graph.train, triples]))
    grown = build_module(_settings(module), learnt)
    _put_rows(grown, module.state_dict(), before)
    structure = grown.model.encoder.structure
    with torch.no_grad():
        structure[before:] = guessed(graph, structure[:before], module.graph.seen_entities)
    grown.to(device).eval().requires_grad_(False)
    _require_unmoved(module, grown)
    if len(triples):
        _fit(grown, before, triples.to(device), steps)
    return grown


def guessed(graph: KnowledgeGraph, structure: Tensor, seen: Tensor) -> Tensor:
    """``(M, D)`` what the structure of the last M entities of a graph may be, from their features.

    Args:
        graph: with E + M entities.
        structure: ``(E, D)`` of the others.
        seen: ``(E,)`` bool: which of these were trained.

    Returns:
        The prediction of a ridge regression; the mean of ``structure`` where there are no features.
    """
    known = len(structure)
    seen = seen.to(structure.device)
    mean = structure[seen].mean(0)
    columns = [_columns(modality, seen.cpu()) for modality in graph.modalities.values()]
    if not columns:
        return mean.expand(graph.num_entities - known, -1)
    rows = torch.cat(columns, dim=1).to(structure.device, torch.float64)
    inputs, targets = rows[:known][seen], (structure[seen] - mean).double()
    centre = inputs.mean(0)
    inputs = inputs - centre
    values, vectors = torch.linalg.eigh(inputs.T @ inputs)
    values = values.clamp_min(0)
    projected = vectors.T @ (inputs.T @ targets)
    unit = float(values.sum() / len(values)) or 1.0
    penalty = min((unit * each for each in PENALTIES), key=lambda p: _cross_validation(values, projected, targets, p))
    map_ = vectors @ (projected / (values + penalty)[:, None])
    guess: Tensor = mean + ((rows[known:] - centre) @ map_).to(structure.dtype)
    return guess


def _columns(modality: Modality, seen: Tensor) -> Tensor:
    """``(E + M, V + 1)`` features, the mean of those of seen entities where there are none, and whether there are."""
    present = modality.present[:, None].float()
    rows = modality.features.float() * present
    counted = modality.present[: len(seen)] & seen
    mean = rows[: len(seen)][counted].sum(0) / counted.sum().clamp(min=1)
    return torch.cat([rows + (1 - present) * mean, present], dim=1)


def _cross_validation(values: Tensor, projected: Tensor, targets: Tensor, penalty: float) -> float:
    """Golub, Heath and Wahba's GCV of a ridge regression, from the eigenvalues of its inputs."""
    shrunk = values / (values + penalty)
    squares = projected.square().sum(1) / values.clamp_min(torch.finfo(values.dtype).tiny)
    explained = (squares * (2 * shrunk - shrunk.square()))[values > 0].sum()
    count = len(targets)
    free = 1 - float(shrunk.sum() + 1) / count
    return float(targets.square().sum() - explained) / count / max(free, 1e-6) ** 2


def _fit(module: LinkPredictionModule, before: int, triples: Tensor, steps: int) -> None:
    """Fit the rows from ``before`` on to triples ``(n, 3)``: a softmax over all entities, on both sides.

    Memory: scores and their gradients of as many queries as `queries_per_chunk` says.
    """
    model = module.model
    structure = model.encoder.structure
    start = structure[before:].clone()
    scale = float(structure[:before].std())
    queries, answer = Queries.both_sides(triples)
    rows = torch.split(torch.arange(len(answer), device=answer.device), queries_per_chunk(len(structure)))
    parts = [(queries.rows(some), answer[some]) for some in rows]
    chunks = [(asked, right, _others(module.known, asked, right)) for asked, right in parts]
    structure.requires_grad_(True)
    others, lowest = torch.arange(before, device=structure.device), structure.new_tensor(-torch.inf)
    optimizer = torch.optim.Adam([structure], lr=STEP * scale)
    with torch.enable_grad():
        for _ in range(steps):
            loss = PULL * ((structure[before:] - start) / scale).square().sum()
            (gradient,) = torch.autograd.grad(loss, [structure])
            for asked, right, true in chunks:
                scores = model.score_all(asked).index_put(true, lowest)
                loss = torch.nn.functional.cross_entropy(scores, right, reduction="sum")
                gradient += torch.autograd.grad(loss, [structure])[0]
            structure.grad = gradient.index_fill_(0, others, 0)  # a row without gradient stays as it is
            optimizer.step()
    structure.grad = None
    structure.requires_grad_(False)


def _others(known: KnownAnswers, queries: Queries, answer: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and entities ``(known,)`` of the known answers of queries but those that are asked for, ``answer``."""
    row, entity = known.lookup(queries)
    other = entity != answer[row]
    return row[other], entity[other]


def _settings(module: LinkPredictionModule) -> dict[str, Any]:
    settings: dict[str, Any] | None = module.hparams["config"]
    if settings is None:
        raise InputError("the module was not built from settings, so it cannot be built again for a larger graph")
    return settings


def _put_rows(grown: LinkPredictionModule, state: Mapping[str, Tensor], before: int) -> None:
    """Put weights into a module whose tables of entities are longer."""
    own = grown.state_dict()
    longer = [name for name in own if own[name].shape != state[name].shape]
    if more := [name for name in longer if name != STRUCTURE_TABLE]:
        raise InputError(
            f"{type(grown.model.encoder).__name__} keeps {more[0].removeprefix('model.')} of each entity beside its "
            "structure, which a new one cannot be given; train anew with it, or use another model"
        )
    for name, tensor in own.items():
        (tensor[:before] if name in longer else tensor).copy_(state[name])


def _require_unmoved(module: LinkPredictionModule, grown: LinkPredictionModule) -> None:
    with torch.no_grad():
        old, new = (each.model.encode().joint[: module.graph.num_entities] for each in (module, grown))
    if not torch.allclose(old, new, rtol=1e-4, atol=1e-5 * float(old.detach().abs().max())):
        raise InputError(
            f"what {type(module.model.encoder).__name__} makes of an entity depends on all others, so new ones would "
            "change answers that have nothing to do with them; train anew with them, or use another model"
        )
