"""The links between entities, and searches along them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from dhns.graph.knowledge_graph import KnowledgeGraph

Ids = np.ndarray[tuple[int], np.dtype[np.int64]]
Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]

STEPS = 2**18
"""Links that are followed at once, some 100 bytes each; a single source may need all links of the graph."""
BLOCK = 2**21
"""Sources times entities of a block, or times walks if those are more: blocks draw their walks one after the other."""
DENSE = 16
"""Cells per number up to which distinct numbers are found by marking cells, and beyond which by sorting."""


class Reached(NamedTuple):
    """The other entities that a search from S sources reached.

    Attributes:
        size: ``(S,)`` how many from each.
        member: ``(M,)`` int32 ids, source by source, ascending.
    """

    size: Ids
    member: np.ndarray[tuple[int], np.dtype[np.int32]]


class Links:
    """Which entities training triples link, in either direction.

    Args:
        graph: brings the training triples.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self.num_entities = graph.num_entities
        head, _, tail = graph.train.numpy().T
        pairs = np.concatenate([head * self.num_entities + tail, tail * self.num_entities + head])
        pairs.sort()
        entity, self._other = np.divmod(pairs[_first(pairs)], self.num_entities)
        self._degree = np.bincount(entity, minlength=self.num_entities)
        self._begin = np.cumsum(self._degree) - self._degree

    def within(self, source: Ids, hops: int) -> Iterator[Reached]:
        """What lies within some hops of the sources ``(S,)``, in parts of them."""
        cells = len(source) * self.num_entities
        near = frontier = self._places(source)
        for _ in range(hops):
            entity = frontier % self.num_entities
            if len(source) > 1 and self._degree[entity].sum() > STEPS:
                for half in np.array_split(source, 2):
                    yield from self.within(half, hops)
                return
            frontier = _unseen(self._step(frontier, entity), near, cells)
            near = np.concatenate([near, frontier])
        yield self._reached(np.sort(near[len(source) :]), len(source))

    def walked(self, source: Ids, hops: int, walks: int) -> Iterator[Reached]:
        """What random walks from the sources ``(S,)`` pass through, in parts of them.

        They are drawn from the global generator.
        """
        rows = max(1, BLOCK // max(self.num_entities, walks))
        together = rows * max(1, STEPS // (rows * walks))
        for part in np.split(source, range(together, len(source), together)):
            own = self._places(part)
            linked = np.flatnonzero(self._degree[part])
            walker = np.repeat(part[linked, None], walks, axis=1)
            origin = own[linked, None] - walker
            draws = torch.rand(hops * len(linked), walks, dtype=torch.float64).numpy()
            first, step = _turns(linked // rows, hops)
            found = []
            for hop in range(hops):
                draw = draws[first + hop * step]
                walker = self._other[self._begin[walker] + (draw * self._degree[walker]).astype(np.int64)]
                found.append(origin + walker)
            place = _unseen(np.concatenate(found, axis=None), own, len(part) * self.num_entities)
            yield self._reached(place, len(part))

    def _places(self, source: Ids) -> Ids:
        """``(S,)`` numbers of sources ``(S,)`` as they are seen from themselves.

        A place is an entity as it is seen from a source: ``position of the source * entities + entity``.
        """
        return np.arange(len(source)) * self.num_entities + source

    def _step(self, place: Ids, entity: Ids) -> Ids:
        """All places that one link leads to from places ``(P,)`` of entities ``(P,)``."""
        degree = self._degree[entity]
        first = np.cumsum(degree) - degree
        link = np.repeat(self._begin[entity] - first, degree)
        link += np.arange(len(link))
        found: Ids = self._other[link]
        found += np.repeat(place - entity, degree)
        return found

    def _reached(self, place: Ids, sources: int) -> Reached:
        """The places ``(M,)``, ascending, by source."""
        origin = np.arange(sources) * self.num_entities
        size = np.diff(np.searchsorted(place, origin), append=len(place))
        return Reached(size, (place - np.repeat(origin, size)).astype(np.int32))


def _turns(block: Ids, hops: int) -> tuple[Ids, Ids]:
    """When sources draw if blocks of them come one after the other, and in a block one hop of all after the other.

    Args:
        block: ``(S,)`` of each source, ascending.
        hops: how often each draws.

    Returns:
        ``(S,)`` the turn of the first hop, and ``(S,)`` how many turns lie between one hop and the next.
    """
    before = np.searchsorted(block, block)
    return hops * before + np.arange(len(block)) - before, np.searchsorted(block, block, side="right") - before


def _unseen(found: Ids, near: Ids, cells: int) -> Ids:
    """The distinct ``found`` that are not ``near``, ascending; all lie below ``cells``."""
    if cells <= DENSE * len(found):
        cell = np.zeros(cells, dtype=bool)
        cell[found] = True
        cell[near] = False
        return np.flatnonzero(cell)
    # of equal numbers the near one comes first, by its lowest bit
    keys: Ids = np.sort(np.concatenate([2 * near, 2 * found + 1]))
    new: Ids = keys[_first(keys >> 1) & (keys & 1 == 1)]
    return new >> 1


def _first(ordered: Ids) -> Mask:
    """Mask of the first of equal numbers, all of them at least 0."""
    # np.unique hashes integers, which takes a hundred times as long as sorting them
    return np.diff(ordered, prepend=-1) > 0
