"""Seeded splits that leave nothing unseen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.triple_sets import distinct, first_of_equals, occur_in

Together = Literal["pair", "triple"]
"""What a split does not part: all triples on an unordered pair of entities, or only the repetitions of a triple."""


def split_keeping_support(
    triples: Tensor,
    fractions: Sequence[float],
    seed: int,
    stays: Tensor | None = None,
    together: Together = "pair",
) -> tuple[Tensor, ...]:
    """Split triples into train and held-out sets, so that train supports whatever is held out.

    A triple leaves train only if each of its entities and its relation keep at least one training triple. With
    ``pair``, triples on the same unordered pair ``{head, tail}`` stay together, so that an inverse, symmetric or
    duplicate relation in train cannot give a held-out triple away; with ``triple``, it can, as in most benchmarks.

    Args:
        triples: ``(n, 3)`` int64 rows ``(head, relation, tail)``.
        fractions: the share of ``triples`` each held-out set gets, as far as the rules allow.
        seed: of NumPy's ``default_rng``; the same seed gives the same split on every platform.
        stays: ``(n,)`` bool, triples that must stay in train; none if not given.
        together: what is never parted; a repeated triple is in one set with any.

    Returns:
        Train, then one tensor per fraction; rows keep their order.

    Raises:
        InputError: the fractions are not shares that sum to less than 1, or no triple can be held out.
    """
    if any(not 0 <= fraction < 1 for fraction in fractions) or sum(fractions) >= 1:
        raise InputError(f"held-out fractions {list(fractions)}: each must lie in [0, 1) and their sum below 1")
    rows = triples.numpy()
    targets = [round(fraction * len(rows)) for fraction in fractions]
    movable = np.ones(len(rows), dtype=bool) if stays is None else ~stays.numpy()
    assigned = torch.from_numpy(_assign(rows, targets, seed, movable, together))
    parts = tuple(triples[assigned == part] for part in range(len(targets) + 1))
    for fraction, part in zip(fractions, parts[1:], strict=True):
        if fraction > 0 and len(part) == 0:
            raise InputError(
                f"no triple of {len(rows)} could be held out for a share of {fraction:g}: the share is below one "
                "triple, or every triple is the last of one of its entities or of its relation; give more triples or a "
                "larger share"
            )
    return parts


def carve_validation(
    graph: KnowledgeGraph, fraction: float = 0.05, seed: int = 0, together: Together = "pair"
) -> KnowledgeGraph:
    """A graph whose validation set is taken out of train, by the rule of :func:`split_keeping_support`.

    No test triple is taken, and a repeated one once. The published validation triples that are in neither train nor
    test stay known to the ranker (``filter_only``).

    Args:
        graph: left as it is.
        fraction: share of train to validate on.
        seed: of the choice.
        together: see :func:`split_keeping_support`.

    Raises:
        InputError: the fraction is not a share, or no training triple can be held out.
    """
    in_test = occur_in(graph.train, graph.test, graph)
    train, valid = split_keeping_support(graph.train, [fraction], seed, in_test, together)
    valid = valid[first_of_equals(valid)]
    published = distinct(graph.valid)
    retired = published[~occur_in(published, graph.triples("train", "test"), graph)]
    found = (
        f"of the {len(published)} distinct published validation triples, {len(retired)} are in neither train nor test "
        "and only filter the ranking"
        if len(published)
        else "none was published (protocol=as_published protocol.select=last_epoch trains without one)"
    )
    note = (
        f"validation set carved out of train: {len(valid)} of {len(graph.train)} training triples (fraction "
        f"{fraction:g}, seed {seed}, by {together}); {found}"
    )
    filter_only = distinct(torch.cat([graph.filter_only, retired]))
    return replace(graph, train=train, valid=valid, filter_only=filter_only, notes=(*graph.notes, note))


def _assign(rows: np.ndarray, targets: Sequence[int], seed: int, movable: np.ndarray, together: Together) -> np.ndarray:
    """``(n,)`` part of each row: 0 for train, ``k`` for the k-th held-out set."""
    order, start = _grouped(rows if together == "triple" else np.sort(rows[:, [0, 2]], axis=1))
    ends, relation = rows[:, [0, 2]], rows[:, 1]
    entity_support = np.bincount(ends.ravel())
    relation_support = np.bincount(relation)
    assigned = np.zeros(len(rows), dtype=np.int64)
    room = list(targets)
    for candidate in np.random.default_rng(seed).permutation(len(start) - 1):
        if not any(room):
            break
        group = order[start[candidate] : start[candidate + 1]]
        # the emptiest set first, so that later sets do not inherit only what the earlier ones left
        part = max(range(len(room)), key=lambda part: room[part] / max(targets[part], 1))
        if len(group) > room[part] or not movable[group].all():
            continue
        entity_uses = Counter(ends[group].ravel().tolist())
        relation_uses = Counter(relation[group].tolist())
        if _outlasts(entity_support, entity_uses) and _outlasts(relation_support, relation_uses):
            for support, uses in ((entity_support, entity_uses), (relation_support, relation_uses)):
                for name, count in uses.items():
                    support[name] -= count
            assigned[group] = part + 1
            room[part] -= len(group)
    return assigned


def _outlasts(support: np.ndarray, uses: Counter[int]) -> bool:
    """Whether something of the support is left to all that is used."""
    return all(support[name] > count for name, count in uses.items())


def _grouped(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers ordered by their keys ``(n, columns)``, and the bounds of each group of equal keys among them."""
    order = np.lexsort(keys.T[::-1])
    ordered = keys[order]
    first = np.ones(len(keys), dtype=bool)
    first[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order, np.append(np.flatnonzero(first), len(keys))
