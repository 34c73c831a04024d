"""Triples and pairs as sets: one number per row, so that membership and joins are sorts and binary searches.

NumPy does the sorting: on a busy machine torch's threads make the same sort a hundred times slower.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph


def distinct(triples: Tensor) -> Tensor:
    """The rows of ``triples (n, 3)``, or of pairs, once each and sorted: ``(m, 3)``."""
    if len(triples) == 0:
        return triples
    rows = triples.numpy()
    limits = tuple(rows.max(axis=0) + 1)
    # numbers sort ten times as fast as rows; np.unique would hash them, which takes longer still
    keys = np.sort(np.ravel_multi_index(tuple(rows.T), limits))
    first = np.diff(keys, prepend=-1) > 0
    return torch.from_numpy(np.stack(np.unravel_index(keys[first], limits), axis=1))


def first_of_equals(triples: Tensor) -> Tensor:
    """``(n,)`` bool: which of ``triples (n, 3)`` equal no earlier one."""
    first = torch.zeros(len(triples), dtype=torch.bool)
    first[torch.from_numpy(np.unique(triples.numpy(), axis=0, return_index=True)[1])] = True
    return first


def triple_keys(triples: Tensor, graph: KnowledgeGraph) -> Tensor:
    """``(n,)`` int64, equal for equal triples only."""
    return pair_keys(triples, graph) * graph.num_relations + triples[:, 1]


def pair_keys(triples: Tensor, graph: KnowledgeGraph, *, reverse: bool = False) -> Tensor:
    """``(n,)`` int64, equal where head and tail are; of the reversed pair ``(tail, head)`` if ``reverse``."""
    first, second = (triples[:, 2], triples[:, 0]) if reverse else (triples[:, 0], triples[:, 2])
    return first * graph.num_entities + second


def is_in(keys: Tensor, others: Tensor) -> Tensor:
    """``(n,)`` bool: which of ``keys (n,)`` are among ``others (m,)``."""
    return torch.from_numpy(np.isin(keys.numpy(), others.numpy()))


def occur_in(triples: Tensor, others: Tensor, graph: KnowledgeGraph) -> Tensor:
    """``(n,)`` bool: which of ``triples (n, 3)`` are among ``others (m, 3)``."""
    return is_in(triple_keys(triples, graph), triple_keys(others, graph))


class Places:
    """Looks up which splits hold a triple; ``filter only`` are the true triples of no split.

    Args:
        graph: whose triples are sorted once, 8 bytes each.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        self._graph = graph
        triples = {name: graph.split(name) for name in SPLITS} | {"filter only": graph.filter_only}
        self._keys = {name: np.sort(triple_keys(rows, graph).numpy()) for name, rows in triples.items() if len(rows)}

    def of(self, triples: Tensor) -> list[tuple[str, ...]]:
        """For each of triples ``(n, 3)`` the names of the splits that hold it."""
        asked = triple_keys(triples, self._graph).numpy()
        held = {
            name: keys[np.searchsorted(keys, asked).clip(max=len(keys) - 1)] == asked
            for name, keys in self._keys.items()
        }
        return [tuple(name for name, mask in held.items() if mask[row]) for row in range(len(asked))]


def join(left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """All pairs of positions ``(i, j)`` with ``left[i] == right[j]``, as two ``(matches,)`` tensors, by ascending i."""
    order = np.argsort(right.numpy(), kind="stable")
    ordered = right.numpy()[order]
    start = np.searchsorted(ordered, left.numpy(), side="left")
    count = np.searchsorted(ordered, left.numpy(), side="right") - start
    i = np.repeat(np.arange(len(left)), count)
    offset = np.arange(len(i)) - (np.cumsum(count) - count)[i]
    return torch.from_numpy(i), torch.from_numpy(order[start[i] + offset])
