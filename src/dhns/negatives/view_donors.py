"""Entities that lend their image, or other views, to negatives that keep the structure of the true entity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.models.kge_model import KGEModel


class ViewDonors(nn.Module):
    """The entities that have at least one of the views that are to be swapped.

    Only they can lend: an entity without an image would turn a positive into itself without its image, which is no
    negative.

    Args:
        graph: has the modalities.
        views: their names.

    Attributes:
        names: the views.

    Raises:
        InputError: the graph lacks one of the views, has none, or fewer than two entities have one; or the features of
            one should be there and are not.
    """

    entities: Tensor

    def __init__(self, graph: KnowledgeGraph, views: Sequence[str]) -> None:
        super().__init__()
        graph.require_features(views)
        self.names = tuple(views)
        has = ", ".join(graph.modalities) or "none"
        for name in self.names:
            if name not in graph.modalities:
                raise InputError(
                    f"negatives.views names '{name}', and {graph.name} has no such modality (it has: {has})"
                )
        if not self.names:
            raise InputError(f"there is no view to swap ({graph.name} has: {has}); use negatives=bernoulli instead")
        present = torch.stack([graph.modalities[name].present for name in self.names]).any(0)
        if present.sum() < 2:
            raise InputError(f"fewer than 2 entities of {graph.name} have {' or '.join(self.names)}; nothing to swap")
        self.register_buffer("entities", present.nonzero().flatten(), persistent=False)

    def require(self, model: KGEModel) -> None:
        """Check that a model looks at the views.

        Raises:
            InputError: its encoder does not make one of them, so that negatives would be positives.
        """
        known = model.encoder.view_names
        for name in self.names:
            if name not in known:
                raise InputError(
                    f"the encoder has no view '{name}' that negatives could swap (it has: {', '.join(known)}); change "
                    "negatives.views or the encoder"
                )

    def draw(self, borrower: Tensor, count: int, rng: torch.Generator) -> Tensor:
        """``(B, count)`` donors, drawn uniformly with replacement, for entities ``(B,)`` that are not their own."""
        place = torch.searchsorted(self.entities, borrower)
        own = self.entities[place.clamp(max=len(self.entities) - 1)] == borrower
        draw = torch.rand(len(borrower), count, generator=rng, device=borrower.device, dtype=torch.float64)
        rank = (draw * (len(self.entities) - own.long())[:, None]).long()
        return self.entities[rank + (own[:, None] & (rank >= place[:, None]))]
