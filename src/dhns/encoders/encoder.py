"""The contract of entity encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRUCTURE = "structure"
"""Name of the view that is learned from triples alone; every encoder has it."""


@dataclass(frozen=True)
class Encoded:
    """Embeddings of U entities.

    Attributes:
        joint: ``(U, D)`` what the scorer scores.
        views: one ``(U, D)`` tensor per modality, ``structure`` first.
        present: one ``(U,)`` bool mask per view; absent rows of a view mean nothing.
    """

    joint: Tensor
    views: dict[str, Tensor]
    present: dict[str, Tensor]

    def rows(self, index: Tensor) -> Encoded:
        """The embeddings of the entities at ``index`` ``(K,)``."""
        return Encoded(
            self.joint[index],
            {name: view[index] for name, view in self.views.items()},
            {name: mask[index] for name, mask in self.present.items()},
        )


class EntityEncoder(nn.Module, ABC):
    """Turns entity ids into views and a joint embedding of the scorer's width.

    Attributes:
        num_entities: size of the entity table.
        width: D, the scorer's entity width.
        view_names: the views in order, ``structure`` first.
        structure: ``(num_entities, D)`` the learned table behind the structural view.
    """

    num_entities: int
    width: int
    view_names: tuple[str, ...]
    structure: nn.Parameter

    @abstractmethod
    def forward(self, entity: Tensor | None = None) -> Encoded:
        """Encode the entities ``(U,)``, or all of them when none are given."""

    @abstractmethod
    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        """``(..., D)`` joint embedding of views ``(..., D)`` with masks ``(...)``, real or generated."""


def uniform_parameter(rows: int, columns: int, half_width: float) -> nn.Parameter:
    """A ``(rows, columns)`` table initialised uniformly in ``+-half_width``."""
    return nn.Parameter(torch.empty(rows, columns).uniform_(-half_width, half_width))
