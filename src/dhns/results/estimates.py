"""Metrics of systems from the ranks of their queries: intervals, paired differences, and slices of the queries.

Ranks of several seeds are averaged query by query before anything is drawn. Intervals and tests thus say how far the
choice of test queries could move a number, for the runs that there are; how far another seed would, the deviation over
seeds says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dhns.errors import InputError
from dhns.results.intervals import bootstrap_means, holm, percentile_interval, sign_flip_test
from dhns.results.ranks import RankedQueries

Ranked = Sequence[RankedQueries]
"""Of one system, a run per seed."""
MIN_CLUSTERS = 10
"""Where queries are about fewer entities, resamples vary too little: no interval is given. Of entities with unequal
numbers of queries fewer count, `_effective` ones."""
BINS = 10


@dataclass(frozen=True)
class Difference:
    """Of a metric from that of another system on the same queries, as a share of one.

    Attributes:
        p: of no difference, two-sided, by `sign_flip_test`.
        corrected: p for the number of differences that were tested together, by `holm`.
    """

    value: float
    low: float | None
    high: float | None
    p: float
    corrected: float

    def holds(self, level: float = 0.95) -> bool:
        """Whether it is told from none, all that were tested together at the given level."""
        return self.corrected <= 1 - level


@dataclass(frozen=True)
class Estimate:
    """A metric as a share of one, with its interval; ``difference`` where there is a system to differ from."""

    value: float
    low: float | None
    high: float | None
    difference: Difference | None = None


@dataclass(frozen=True)
class Slice:
    """Queries, how many entities they are about, and what systems measure on them.

    Attributes:
        estimates: in the order of the systems.
    """

    name: str
    queries: int
    entities: int
    estimates: tuple[Estimate, ...]


def per_query(ranked: RankedQueries, metric: str) -> np.ndarray:
    """``(queries,)`` float64, whose mean is the metric: ``mrr`` or ``hits@k``."""
    if metric == "mrr":
        return 1 / ranked.realistic
    return (ranked.realistic <= int(metric.removeprefix("hits@"))).astype(float)


def paired_differences(
    systems: Mapping[str, Ranked], against: str, metric: str = "mrr", level: float = 0.95
) -> dict[str, Difference]:
    """How each of the other systems differs from one of them, p corrected for their number.

    Args:
        systems: ranks on the same queries by name, as `dhns.results.ranks.read_ranks` gives them of each run.
        against: the name of that one.
        metric: ``mrr`` or ``hits@k``.
        level: of the intervals.

    Raises:
        InputError: ranks are of different queries.
    """
    place = list(systems).index(against)
    (everything,) = slices(list(systems.values()), metric, level, against=place)
    found = zip(systems, everything.estimates, strict=True)
    return {name: estimate.difference for name, estimate in found if estimate.difference is not None}


def slices(
    systems: Sequence[Ranked],
    metric: str = "mrr",
    level: float = 0.95,
    by: str | None = None,
    against: int | None = None,
    relations: Sequence[str] = (),
) -> list[Slice]:
    """All queries as one slice; then those that ``by`` makes of them; for relations, also the mean over relations.

    Each of the three corrects its p for the differences in itself.

    Args:
        systems: ranks on the same queries.
        metric: ``mrr`` or ``hits@k``.
        level: of the intervals.
        by: ``relation``, ``popularity`` (of the answer, in deciles) or ``side``.
        against: number of the system from which all others differ.
        relations: names in id order; without them, relations go by id.

    Raises:
        InputError: ranks are of different queries.
    """
    first = systems[0][0]
    if len({query_identity(ranked) for runs in systems for ranked in runs}) > 1:
        raise InputError("these ranks are of different queries, and cannot be compared")
    values = np.stack([np.mean([per_query(ranked, metric) for ranked in runs], axis=0) for runs in systems])
    sample = _Sample(values, first.cluster, against)
    found = _slices(sample.parts(["all"], np.zeros(len(first), dtype=np.int64)), level, against)
    if by is not None:
        names, group = _groups(first, by, relations)
        parts = sample.parts(names, group)
        found += _slices(parts, level, against)
        if by == "relation":
            found += _slices([sample.mean_over(parts, group)], level, against)
    return found


def query_identity(ranked: RankedQueries) -> bytes:
    """The same for the same queries, as far as what is stored of them shows."""
    arrays = (ranked.head_side, ranked.relation, ranked.cluster, ranked.popularity)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()


@dataclass(frozen=True)
class _Part:
    """Queries, what systems measure on them in the mean ``(systems,)``, and what in resamples ``(resamples, systems)``.

    Attributes:
        cluster: ``(queries,)`` the entities that they are about.
        p: ``(systems,)``, of no difference from the system that others are compared with.
    """

    name: str
    cluster: np.ndarray
    measured: np.ndarray
    resampled: np.ndarray
    p: np.ndarray


@dataclass(frozen=True)
class _Sample:
    """Values of systems ``(systems, queries)``, and the clusters ``(queries,)`` that are drawn."""

    values: np.ndarray
    cluster: np.ndarray
    against: int | None

    def parts(self, names: Sequence[str], group: np.ndarray) -> list[_Part]:
        """Of each group of queries; ``group`` ``(queries,)`` counts along ``names``."""
        resampled = bootstrap_means(self.values, self.cluster, group)
        found = []
        for number, name in enumerate(names):
            values, cluster = self.values[:, group == number], self.cluster[group == number]
            p = self._p(values, cluster)
            found.append(_Part(name, cluster, values.mean(1), resampled[..., number], p))
        return found

    def mean_over(self, parts: Sequence[_Part], group: np.ndarray) -> _Part:
        """The mean over relations, each of which counts the same."""
        share = 1 / np.bincount(group)[group]
        return _Part(
            f"mean over {len(parts)} relations",
            self.cluster,
            np.mean([part.measured for part in parts], axis=0),
            np.nanmean([part.resampled for part in parts], axis=0),
            self._p(self.values * share, self.cluster),
        )

    def _p(self, values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
        if self.against is None:
            return np.ones(len(values))
        return sign_flip_test(values - values[self.against], np.unique(cluster, return_inverse=True)[1])


def _slices(parts: Sequence[_Part], level: float, against: int | None) -> list[Slice]:
    """What is said of parts whose differences are tested together."""
    p = np.stack([part.p for part in parts])
    corrected = np.ones_like(p)
    tested = [system for system in range(p.shape[1]) if system != against]
    corrected[:, tested] = holm(p[:, tested])
    found = []
    for part, row in zip(parts, corrected, strict=True):
        estimates = []
        for system, measured in enumerate(part.measured.tolist()):
            resampled, difference = part.resampled[:, system], None
            if against is not None and system != against:
                apart = _interval(resampled - part.resampled[:, against], part.cluster, level)
                difference = Difference(
                    measured - float(part.measured[against]), *apart, float(part.p[system]), float(row[system])
                )
            estimates.append(Estimate(measured, *_interval(resampled, part.cluster, level), difference))
        entities = len(np.unique(part.cluster))
        found.append(Slice(part.name, len(part.cluster), entities, tuple(estimates)))
    return found


def _interval(resampled: np.ndarray, cluster: np.ndarray, level: float) -> tuple[float | None, float | None]:
    if _effective(cluster) < MIN_CLUSTERS:
        return None, None
    low, high = percentile_interval(resampled, level).tolist()
    return low, high


def _effective(cluster: np.ndarray) -> float:
    """The number of clusters of equal size that would serve as well (Kish 1965): ``n^2 / sum of squared sizes``."""
    sizes = np.bincount(cluster)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def _groups(ranked: RankedQueries, by: str, relations: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Names of groups of queries, and the number of each query's group ``(queries,)``."""
    if by == "side":
        sides = np.unique(ranked.head_side, return_inverse=True)
        return ["head" if head else "tail" for head in sides[0]], sides[1]
    if by == "relation":
        ids, group = np.unique(ranked.relation, return_inverse=True)
        return [f"relation {_name(relation, relations)}" for relation in ids.tolist()], group
    popularity = ranked.popularity
    # equal numbers of queries, but for answers of equal popularity, which stay together
    borders = np.unique(np.quantile(popularity, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    _, group = np.unique(np.searchsorted(borders, popularity), return_inverse=True)
    ends = [(popularity[group == number].min(), popularity[group == number].max()) for number in range(group.max() + 1)]
    return [f"popularity {low}" if low == high else f"popularity {low} to {high}" for low, high in ends], group


def _name(relation: int, names: Sequence[str]) -> str:
    """The name that no other has: with the id where several do, the id alone where there are no names."""
    if relation >= len(names):
        return str(relation)
    name = names[relation]
    return name if names.count(name) == 1 else f"{name} ({relation})"
