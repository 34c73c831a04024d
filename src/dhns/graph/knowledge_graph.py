"""The knowledge graph: entities, relations, splits and modalities, immutable after loading."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.libraries import Edges, to_factory, to_frame
from dhns.graph.modality_names import require_modality_names

SPLITS = ("train", "valid", "test")
_SHOWN = 5  # names, where one is unknown


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
    def ids(self) -> Mapping[str, int]:
        """The id of each key."""
        return {key: index for index, key in enumerate(self.keys)}

    @cached_property
    def _labelled(self) -> Mapping[str, list[int]]:
        return _grouped((label, index) for index, label in enumerate(self.labels))

    @cached_property
    def _in_any_case(self) -> Mapping[str, list[int]]:
        names = (pair for names in (self.keys, self.labels) for pair in enumerate(names))
        return _grouped((name.casefold(), index) for index, name in names)

    def named(self, name: str) -> list[int]:
        """The id that has this key; else those of this label; else those of either, case ignored; empty if none has."""
        if name in self.ids:
            return [self.ids[name]]
        return self._labelled.get(name) or self._in_any_case.get(name.casefold()) or []

    def find(self, name: str, suggest: bool = True) -> int:
        """The id of a key, else of a label, else of either with case ignored, where that is unique; or of ``id:7``.

        A number is a name like any other: only ``id:`` before it makes it an id.

        Args:
            name: to look up.
            suggest: look for the nearest names where there is none; that takes a second among a hundred thousand.

        Raises:
            InputError: nothing, or more than one thing, has that name.
        """
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            keys = ", ".join(self.keys[index] for index in found[:5]) + (", ..." if len(found) > 5 else "")
            raise InputError(f"{self.kind} '{name}' is ambiguous: {keys}; give one of these keys instead")
        number = name.removeprefix("id:")
        if number.isdecimal() and number != name:
            if int(number) < len(self):
                return int(number)
            raise InputError(f"{self.kind} id {number} is out of range; ids go from 0 to {len(self) - 1}")
        near: list[str] = []
        if suggest:
            near = difflib.get_close_matches(name, self.labels, n=3) or difflib.get_close_matches(name, self.keys, n=3)
        hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
        if suggest and not near and self.kind == "relation":  # which are few, and known by heart
            hint = f"; there are {', '.join(self.labels[:_SHOWN])}{', ...' if len(self) > _SHOWN else ''}"
        if name.isdecimal() and int(name) < len(self):
            hint = f"; id:{name} is the {self.kind} of that id, {self.labels[int(name)]}"
        raise InputError(f"no {self.kind} is named '{name}'{hint}")


def _grouped(names: Iterable[tuple[str, int]]) -> Mapping[str, list[int]]:
    """The numbers under each name, each once."""
    groups: dict[str, dict[int, None]] = {}
    for name, index in names:
        groups.setdefault(name, {})[index] = None
    return {name: list(indices) for name, indices in groups.items()}


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
        notes: what was guessed about the files or changed in what they say, each in one sentence that says how to have
            it otherwise.
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
        require_modality_names([*self.modalities, *self.absent])

    def __reduce__(self) -> tuple[Callable[[], KnowledgeGraph], tuple[()]]:
        # processes that train together get a copy, and read-only mappings cannot be copied
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        mappings = {name: dict(value) for name, value in values.items() if isinstance(value, Mapping)}
        return partial(type(self), **values | mappings), ()

    @classmethod
    def from_triples(
        cls,
        train: Any,
        valid: Any = (),
        test: Any = (),
        *,
        name: str = "graph",
        features: Mapping[str, Any] | None = None,
        entities: Sequence[Any] | None = None,
        labels: Mapping[Any, str] | None = None,
    ) -> KnowledgeGraph:
        """A graph of triples in memory.

        Args:
            train: rows (head, relation, tail) of names: a list of tuples, an array ``(n, 3)``, a pandas data frame.
            valid: likewise.
            test: likewise.
            name: of the graph, for results.
            features: by modality: a vector for each entity that has one, by name; or an array ``(entities, dim)`` in
                the order of ``entities``.
            entities: names of all entities, which fix the ids; the sorted names of all triples if left out.
            labels: what to call entities and relations, by name, where that is not the name itself.

        Raises:
            InputError: a row has not three parts, train is empty, a name is not among ``entities``, or features do not
                fit; a row has None or NaN for a name; ``entities`` names one twice.
        """
        splits = [_named_rows(split, rows) for split, rows in zip(SPLITS, (train, valid, test), strict=True)]
        if not splits[0]:
            raise InputError("train holds no triples; give some as (head, relation, tail)")
        every = [row for rows in splits for row in rows]
        keys = _distinct(entities) if entities is not None else sorted({e for h, _, t in every for e in (h, t)})
        said = {str(key): label for key, label in (labels or {}).items()}
        relation_keys = sorted({relation for _, relation, _ in every})
        names, relations = (
            Vocabulary(kind, tuple(found), tuple(said.get(key, key) for key in found))
            for kind, found in (("entity", keys), ("relation", relation_keys))
        )
        train, valid, test = (_to_ids(rows, names, relations) for rows in splits)
        modalities = {
            modality: _modality(modality, rows, names, fixed=entities is not None)
            for modality, rows in (features or {}).items()
        }
        return cls(name, names, relations, train, valid, test, modalities)

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

    def to_pandas(self, *splits: str) -> Any:
        """A data frame of pandas with the keys of head, relation and tail, and the split; of all where none is named.

        Raises:
            InputError: pandas is not installed, or there is no such split.
        """
        return to_frame({name: self.split(name) for name in splits or SPLITS}, self.entities.keys, self.relations.keys)

    def to_pykeen(self, split: str = "train") -> Any:
        """A ``TriplesFactory`` of PyKEEN with the triples of a split, and the ids of this graph.

        Raises:
            InputError: PyKEEN is not installed, or there is no such split.
        """
        return to_factory(self.split(split), self.entities.ids, self.relations.ids)

    def to_pyg(self, split: str = "train") -> Edges:
        """The triples of a split as layers of PyTorch Geometric take them, which need not be installed.

        ``torch_geometric.data.Data(num_nodes=graph.num_entities, **graph.to_pyg()._asdict())`` is its graph.

        Raises:
            InputError: there is no such split.
        """
        triples = self.split(split)
        return Edges(triples[:, [0, 2]].t().contiguous(), triples[:, 1].clone())

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
    def untrained_entities(self) -> Tensor:
        """``(entities,)`` bool: no training triple has the entity, and it has no features, so nothing tells of it."""
        untrained = ~self.seen_entities
        for modality in self.modalities.values():
            untrained &= ~modality.present
        return untrained

    @cached_property
    def linked_pairs(self) -> Tensor:
        """``(pairs,)`` int64, ascending: unordered pairs that train links, as ``lesser id * entities + greater id``."""
        lesser, greater = self.train[:, [0, 2]].aminmax(dim=1)
        pairs = np.sort((lesser * self.num_entities + greater).numpy())
        return torch.from_numpy(pairs[np.diff(pairs, prepend=-1) > 0])

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


def _named_rows(split: str, rows: Any) -> list[tuple[str, str, str]]:
    rows = list(map(tuple, rows.to_numpy() if hasattr(rows, "to_numpy") else rows))
    if lacking := next((row for row in rows if any(part is None or part != part for part in row)), None):
        raise InputError(f"{split}: {lacking} lacks a name (None or NaN); leave that row out, or name what is meant")
    found = [tuple(map(str, row)) for row in rows]
    if wrong := next((row for row in found if len(row) != 3), None):
        raise InputError(f"{split}: {wrong} is no triple; expected (head, relation, tail)")
    return found  # type: ignore[return-value]


def _distinct(entities: Sequence[Any]) -> list[str]:
    keys = list(map(str, entities))
    if repeated := next((key for key, number in Counter(keys).items() if number > 1), None):
        raise InputError(f"entities names '{repeated}' more than once; each has one id, and is named once")
    return keys


def _to_ids(rows: Sequence[tuple[str, str, str]], entities: Vocabulary, relations: Vocabulary) -> Tensor:
    for row in rows:
        if missing := [name for name in (row[0], row[2]) if name not in entities.ids]:
            raise InputError(f"'{missing[0]}' of {row} is not among the entities; add it there")
    ids = [(entities.ids[head], relations.ids[relation], entities.ids[tail]) for head, relation, tail in rows]
    return torch.tensor(ids, dtype=torch.int64).reshape(-1, 3)


def _modality(name: str, rows: Any, entities: Vocabulary, fixed: bool) -> Modality:
    if isinstance(rows, Mapping):
        vectors = {str(key): _numbers(name, vector) for key, vector in rows.items()}
        if unknown := next((key for key in vectors if key not in entities.ids), None):
            raise InputError(f"{name} features of '{unknown}', which is no entity; leave it out")
        if len({vector.shape for vector in vectors.values()}) != 1:
            raise InputError(f"{name} features: vectors of one length are needed, of at least one entity")
        present = torch.tensor([key in vectors for key in entities.keys])
        absent = torch.zeros_like(next(iter(vectors.values())))
        features = torch.stack([vectors.get(key, absent) for key in entities.keys])
    elif not fixed:
        raise InputError(
            f"{name} features are an array; say by entities=[...] which row is whose, or give a dictionary"
        )
    else:
        features = _numbers(name, rows)
        present = torch.ones(len(entities), dtype=torch.bool)
    if features.ndim != 2 or len(features) != len(entities) or not features.isfinite().all():
        raise InputError(
            f"{name} features have shape {tuple(features.shape)}; expected finite numbers, ({len(entities)}, dim)"
        )
    return Modality(features, present)


def _numbers(name: str, value: Any) -> Tensor:
    try:
        return torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{name} features hold what is no number ({error}); expected numbers") from None
