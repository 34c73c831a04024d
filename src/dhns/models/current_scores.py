"""How the model that is trained scores entities, for samplers that look at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel


@contextmanager
def as_it_ranks(model: KGEModel) -> Iterator[KGEModel]:
    """Within it the model is as ranking sees it: no gradients, no dropout, and no trace in running statistics.

    The modes of its parts are then what they were.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for module, mode in modes.items():
            module.training = mode


def current_scores(model: KGEModel, queries: Queries, candidates: Tensor) -> Tensor:
    """``(B, N)`` fp32 scores as ranking sees them, see `as_it_ranks`.

    Memory is that of the training step's own scores for N negatives, or less.

    Args:
        model: what is trained.
        queries: what is asked.
        candidates: ``(B, N)`` entity ids.
    """
    with as_it_ranks(model):
        return model.score_candidates(queries, candidates).float()


def current_scores_of_all(model: KGEModel, queries: Queries) -> Tensor:
    """``(B, E)`` fp32 scores of every entity as ranking sees them; each distinct query is scored once."""
    with as_it_ranks(model):
        distinct, row = queries.distinct(model.num_relations)
        return model.score_all(distinct).float()[row]
