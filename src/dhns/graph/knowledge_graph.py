"""The knowledge graph: entities, relations, splits and modalities, immutable after loading."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Vocabulary:
    """Keys (as the files name them) and human labels of entities or relations, in id order."""

    kind: str
    keys: tuple[str, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.labels):
            raise InputError(
                f"{len(self.labels)} labels for {len(self.keys)} {self.kind} keys; one label per key is needed"
            )

    def __len__(self) -> int:
        return len(self.keys)

    @cached_property
    def _ids(self) -> Mapping[str, list[int]]:
        ids: dict[str, list[int]] = {}
        for names in (self.keys, self.labels, tuple(label.casefold() for label in self.labels)):
            for index, name in enumerate(names):
                known = ids.setdefault(name, [])
                if index not in known:
                    known.append(index)
        return ids

    def named(self, name: str) -> list[int]:
        """The ids of what has this key or label, case ignored where nothing has it exactly; empty if nothing has."""
        return self._ids.get(name) or self._ids.get(name.casefold()) or []

    def find(self, name: str | int) -> int:
        """The id of a key, a label (case ignored when that is unique) or an id given as a number.

        Raises:
            InputError: nothing, or more than one thing, has that name; the message lists the nearest names.
        """
        text = str(name)
        found = self.named(text)
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            keys = ", ".join(self.keys[index] for index in found[:5])
            raise InputError(f"{self.kind} '{text}' is ambiguous: {keys}; give the key or the id instead")
        if text.isdigit():
            if int(text) < len(self):
                return int(text)
            raise InputError(f"{self.kind} id {text} is out of range; ids go from 0 to {len(self) - 1}")
        near = difflib.get_close_matches(text, self.labels, n=3) or difflib.get_close_matches(text, self.keys, n=3)
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        raise InputError(f"no {self.kind} is named '{text}'{hint}")


@dataclass(frozen=True)
class Modality:
    """Features of one modality and the mask of the entities that have them.

    Attributes:
        features: ``(entities, dim)`` floating point; rows of absent entities are zero and mean nothing.
        present: ``(entities,)`` bool.
    """

    features: Tensor
    present: Tensor

    @property
    def dim(self) -> int:
        return self.features.shape[1]


@dataclass(frozen=True)
class KnowledgeGraph:
    """Triples of a graph, split, with whatever modalities its entities have.

    Attributes:
        train, valid, test: ``(n, 3)`` int64 rows ``(head, relation, tail)``.
        modalities: name (``visual``, ``textual``, or any other) to features.
        filter_only: ``(n, 3)`` true triples of no split, known to the ranker only.
        removed: by modality, the ``(entities,)`` bool mask of those that lost it on purpose.
        notes: what was done to the published data, in words, for the result file.
        absent: by modality, why its features are not there though the settings name them.
    """

    name: str
    entities: Vocabulary
    relations: Vocabulary
    train: Tensor
    valid: Tensor
    test: Tensor
    modalities: Mapping[str, Modality] = field(default_factory=dict)
    filter_only: Tensor = field(default_factory=lambda: torch.empty(0, 3, dtype=torch.int64))
    removed: Mapping[str, Tensor] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    absent: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("modalities", "removed", "absent"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Callable[[], KnowledgeGraph], tuple[()]]:
        # processes that train together get a copy, and read-only mappings cannot be copied
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        mappings = {name: dict(value) for name, value in values.items() if isinstance(value, Mapping)}
        return partial(type(self), **values | mappings), ()

    @property
    def num_entities(self) -> int:
        return len(self.entities)

    @property
    def num_relations(self) -> int:
        return len(self.relations)

    def split(self, name: str) -> Tensor:
        """The ``(n, 3)`` triples of a split.

        Raises:
            InputError: there is no such split.
        """
        if name not in SPLITS:
            raise InputError(f"no split is named '{name}'; the splits are {', '.join(SPLITS)}")
        triples: Tensor = getattr(self, name)
        return triples

    def triples(self, *names: str) -> Tensor:
        """The ``(n, 3)`` triples of several splits, in the order given."""
        return torch.cat([self.split(name) for name in names])

    def require_features(self, names: Iterable[str] | None = None) -> None:
        """Check that the features of these modalities, of all if null, are there if the settings name them.

        Raises:
            InputError: some are `absent`.
        """
        for name in self.absent if names is None else names:
            if name in self.absent:
                raise InputError(self.absent[name])

    @cached_property
    def seen_entities(self) -> Tensor:
        """``(entities,)`` bool: the entity occurs in a training triple."""
        seen = torch.zeros(self.num_entities, dtype=torch.bool)
        seen[self.train[:, [0, 2]].flatten()] = True
        return seen

    @cached_property
    def linked_pairs(self) -> Tensor:
        """``(pairs,)`` int64, ascending: unordered pairs that train links, as ``lesser id * entities + greater id``."""
        lesser, greater = self.train[:, [0, 2]].aminmax(dim=1)
        return torch.from_numpy(np.unique((lesser * self.num_entities + greater).numpy()))

    @cached_property
    def lost_modality(self) -> Tensor:
        """``(entities,)`` bool: the entity lost a modality on purpose."""
        lost = torch.zeros(self.num_entities, dtype=torch.bool)
        for mask in self.removed.values():
            lost |= mask
        return lost

    def describe(self, triple: tuple[int, int, int]) -> str:
        """A triple in words: ``Norway - shares border with - Sweden``."""
        head, relation, tail = triple
        return f"{self.entities.labels[head]} - {self.relations.labels[relation]} - {self.entities.labels[tail]}"
