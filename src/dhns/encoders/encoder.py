"""The contract of entity encoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality
from dhns.graph.modality_names import STRUCTURE as STRUCTURE
from dhns.scorers.scorer import Scorer

WhenMissing = Literal["stop", "use_available"]
"""What a model does on a graph that lacks a modality which the model is defined on."""

Absent = Literal["mask", "zero", "mean", "learned"]
"""What stands for the features of an entity that lacks a modality: nothing, the view is left out (``mask``); or a row
that makes the view a present one: zeros, the mean of the features that there are, or one learned row (``learned``)."""


@dataclass(frozen=True)
class Encoded:
    """Embeddings of U entities.

    Attributes:
        joint: ``(U, J)`` what the scorer scores; J is D, or more where the scorer takes several views side by side.
        views: one ``(U, D)`` tensor per modality, ``structure`` first.
        present: one ``(U,)`` bool mask per view; absent rows of a view mean nothing.
        loss: what the encoder itself wants minimised for these entities, such as a reconstruction error; in training
            mode only.
    """

    joint: Tensor
    views: dict[str, Tensor]
    present: dict[str, Tensor]
    loss: Tensor | None = None

    def rows(self, index: Tensor) -> Encoded:
        """The embeddings of the entities at ``index`` ``(K,)``."""
        return Encoded(
            embedding(index, self.joint),
            {name: embedding(index, view) for name, view in self.views.items()},
            {name: mask[index] for name, mask in self.present.items()},
        )


class EntityEncoder(nn.Module, ABC):
    """Turns entity ids into views and a joint embedding that the scorer takes.

    A subclass is made from ``graph=``, ``scorer=`` and settings, sets ``view_names``, and implements `forward` and
    `fuse`; it may override `start_epoch`. The scorer stays no part of it: the model owns that.
    `dhns.testing.check_encoder` holds it to its contract.

    Attributes:
        num_entities: size of the entity table.
        width: D, the scorer's entity width.
        view_names: the views in order, ``structure`` first.
        structure: ``(num_entities, D)`` the learned table behind the structural view.
        missing: modalities that the model is defined on, and that it was told to do without.
        sparse_gradients: the gradient of ``structure`` holds only the rows that were encoded, which a sparse optimizer
            has to take.
        reads_features: whether it takes features where the settings name some, and so cannot do without their files.
    """

    reads_features: ClassVar[bool] = False
    view_names: tuple[str, ...]
    missing: tuple[str, ...] = ()
    sparse_gradients: bool = False

    def __init__(self, graph: KnowledgeGraph, scorer: Scorer) -> None:
        super().__init__()
        self.num_entities = graph.num_entities
        self.width = scorer.entity_width
        self.structure = uniform_parameter(self.num_entities, self.width, scorer.init_range)

    def structural_view(self, entity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(U, D)`` structure of the entities ``(U,)``, or of all, and their mask ``(U,)``, which is true."""
        rows = self.structure if entity is None else embedding(entity, self.structure, sparse=self.sparse_gradients)
        return rows, torch.ones(len(rows), dtype=torch.bool, device=rows.device)

    @abstractmethod
    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        """Encode the entities ``(U,)``, or all of them when none are given.

        Args:
            entity: ids.
            relations: ``(relations, R')`` the prepared relation table, for encoders that look at neighbours.
        """

    @abstractmethod
    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        """``(..., J)`` joint embedding of views ``(..., D)`` with masks ``(...)``, real or generated."""

    def start_epoch(self, epoch: int) -> None:
        """Called before each epoch of training, for encoders that are trained in stages."""


class FeatureTable(nn.Module):
    """Raw features of one modality: frozen, outside of the optimizer and the checkpoint, unless ``trainable``.

    Frozen features stay as they are stored, maybe in half precision; rows become float32 as they are read.

    Args:
        modality: V features.
        trainable: fine-tune a copy of them.
        absent: see `Absent`; the learned row starts at zero.
    """

    features: Tensor
    present: Tensor
    stand_in: Tensor | None

    def __init__(self, modality: Modality, trainable: bool = False, absent: Absent = "mask") -> None:
        super().__init__()
        self.absent = absent
        if trainable:
            # a copy: training must not change the graph, nor the fingerprint of its features
            self.features = nn.Parameter(modality.features.to(torch.float32, copy=True))
        else:
            self.register_buffer("features", modality.features, persistent=False)
        self.register_buffer("present", modality.present, persistent=False)
        if absent == "learned":
            self.stand_in = nn.Parameter(torch.zeros(modality.dim))
        else:
            self.register_buffer("stand_in", _mean_row(modality) if absent == "mean" else None, persistent=False)

    def forward(self, entity: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """``(U, V)`` features and ``(U,)`` bool presence of the entities ``(U,)``, or of all."""
        features, present = self.features, self.present
        if entity is not None:
            features, present = embedding(entity, features), present[entity]
        features = _at_least_float32(features)
        if self.stand_in is not None:
            features = torch.where(present[:, None], features, self.stand_in)
        return features, present if self.absent == "mask" else torch.ones_like(present)


def _at_least_float32(rows: Tensor) -> Tensor:
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def _mean_row(modality: Modality) -> Tensor:
    """``(V,)`` mean of the features that there are."""
    rows = _at_least_float32(modality.features[modality.present])
    return rows.sum(0) / max(1, len(rows))


def choose_modalities(
    graph: KnowledgeGraph, wanted: Sequence[str] | None, when_missing: WhenMissing = "stop"
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The modalities that a model uses on a graph, and those that it is defined on but does without.

    Args:
        graph: has the modalities.
        wanted: those that the model is defined on; all of the graph's when null.
        when_missing: ``stop``; or ``use_available``: those of ``wanted`` that are there, or if none is, all that are.

    Raises:
        InputError: a wanted modality is missing and ``when_missing`` is ``stop``, or the graph has none at all; or its
            features should be there and are not.
    """
    graph.require_features(wanted)
    names = tuple(graph.modalities) if wanted is None else tuple(wanted)
    missing = tuple(name for name in names if name not in graph.modalities)
    if not missing:
        return names, ()
    has = ", ".join(graph.modalities) or "none"
    if when_missing == "stop":
        raise InputError(
            f"{graph.name} has no modality '{missing[0]}' (it has: {has}); change encoder.modalities (encoder.modality "
            "of a model with one), or run on what is there with encoder.when_missing=use_available"
        )
    used = tuple(name for name in names if name in graph.modalities)
    if not used:
        graph.require_features()
        used = tuple(graph.modalities)
    if not used:
        raise InputError(f"{graph.name} has no modality at all, and this model needs {' and '.join(names)}")
    return used, missing


def uniform_parameter(rows: int, columns: int, half_width: float) -> nn.Parameter:
    """A ``(rows, columns)`` table initialised uniformly in ``+-half_width``."""
    return nn.Parameter(torch.empty(rows, columns).uniform_(-half_width, half_width))
