"""How the model that is trained scores candidates, for samplers that look at it."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel


@torch.no_grad()
def current_scores(model: KGEModel, queries: Queries, candidates: Tensor) -> Tensor:
    """``(B, N)`` fp32 scores as ranking sees them: no gradients, no dropout, and no trace in running statistics.

    Memory is that of the training step's own scores for N negatives, or less.

    Args:
        model: what is trained; the modes of its parts are left as they were.
        queries: what is asked.
        candidates: ``(B, N)`` entity ids.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        return model.score_candidates(queries, candidates).float()
    finally:
        for module, mode in modes.items():
            module.training = mode
