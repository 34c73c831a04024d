"""Intervals and tests for means over clustered queries.

Queries about one entity are answered well or badly together, so entities are what is drawn, each with all its queries:

- `bootstrap_means` draws as many clusters as there are, with replacement (Davison & Hinkley 1997, sec. 3.8). A mean is
  a sum over a count that varies with the draw, as clusters differ in size.
- `sign_flip_test` asks whether the mean of paired differences is zero. If two systems are equally good, the difference
  on a cluster could as well have the other sign, so the sum over clusters is compared with what it is under random
  signs (Fisher's randomization, with clusters as units; the weights of the wild cluster bootstrap, Cameron, Gelbach &
  Miller 2008). Unlike an interval that leaves out zero, it keeps its level where few clusters hold most queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

RESAMPLES = 2_000
FLIPS = 10_000
"""Random signs of a test: the least p is one in so many."""
_CELLS = 2**21
"""Numbers that are drawn at a time: 16 MiB of float64."""


def bootstrap_means(
    values: np.ndarray, cluster: np.ndarray, group: np.ndarray, resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray:
    """Means of each group of queries in resamples of clusters, ``(resamples, systems, groups)``.

    Systems and groups share their resamples, so that differences between them are paired. NaN where none of a group's
    queries were drawn.

    Args:
        values: ``(systems, queries)`` float64.
        cluster: ``(queries,)`` integers from 0, the same for queries that are drawn together.
        group: ``(queries,)`` integers from 0; none is left out.
        resamples: how many.
        seed: of the draws.
    """
    clusters, groups = cluster.max() + 1, group.max() + 1
    # what a group has of a cluster is drawn together: a cell
    cells, cell = np.unique(group.astype(np.int64) * clusters + cluster, return_inverse=True)
    owner = cells % clusters
    border = np.searchsorted(cells, np.arange(groups + 1) * clusters)
    sums = np.stack([np.bincount(cell, weights) for weights in (*values, np.ones(len(cell)))], axis=1)
    totals = np.empty((resamples, len(values) + 1, groups))
    for block, weights in _drawn(resamples, clusters, seed):
        for number, (start, end) in enumerate(pairwise(border)):
            totals[block, :, number] = weights[:, owner[start:end]] @ sums[start:end]
    with np.errstate(invalid="ignore"):
        means: np.ndarray = totals[:, :-1] / totals[:, -1:]
    return means


def percentile_interval(resampled: np.ndarray, level: float) -> np.ndarray:
    """Bounds that hold ``level`` of the resamples ``(resamples, ...)`` between them, ``(2, ...)``; NaN do not count."""
    bounds: np.ndarray = np.nanquantile(resampled, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return bounds


def sign_flip_test(differences: np.ndarray, cluster: np.ndarray, flips: int = FLIPS, seed: int = 0) -> np.ndarray:
    """Two-sided p of the hypothesis that paired differences are zero in the mean, ``(systems,)``.

    Args:
        differences: ``(systems, queries)`` float64, of each system from the one that all are compared with.
        cluster: ``(queries,)`` integers from 0, the same for queries that share their sign.
        flips: random signs of all clusters; they count together with the signs that there are.
        seed: of the signs.
    """
    sums = np.stack([np.bincount(cluster, weights) for weights in differences], axis=1)
    sums = sums[np.any(sums != 0, axis=1)]
    # sums of the same numbers in another order may fall short of each other in the last digits
    total = sums.sum(0)
    reached = np.abs(total) * (1 - 1e-9)
    generator = np.random.default_rng(seed)
    as_large = np.ones(len(differences))
    for block in _blocks(flips, len(sums)):
        signs = generator.integers(0, 2, (block.stop - block.start, len(sums)), dtype=np.int8)
        as_large += (np.abs(2 * (signs.astype(float) @ sums) - total) >= reached).sum(0)
    return as_large / (flips + 1)


def holm(p: ArrayLike) -> np.ndarray:
    """Values of p corrected for their number (Holm 1979), of any shape.

    If all differences are called real whose corrected p is at most 0.05, at most 5 % of the tables have a mistake.
    """
    raw = np.asarray(p, dtype=float)
    order = np.argsort(raw, axis=None)
    steps = raw.ravel()[order] * np.arange(raw.size, 0, -1)
    corrected = np.empty(raw.size)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected.reshape(raw.shape)


def _drawn(resamples: int, clusters: int, seed: int) -> Iterator[tuple[slice, np.ndarray]]:
    """How often each cluster is drawn, ``(block, clusters)`` float64, a block of resamples at a time."""
    generator = np.random.default_rng(seed)
    for block in _blocks(resamples, clusters):
        rows = block.stop - block.start
        drawn = generator.integers(0, clusters, (rows, clusters)) + clusters * np.arange(rows)[:, None]
        yield block, np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters).astype(float)


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    size = max(1, _CELLS // max(1, columns))
    yield from (slice(start, min(rows, start + size)) for start in range(0, rows, size))
