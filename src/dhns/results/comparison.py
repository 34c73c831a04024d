"""The systems of a data set side by side: their results, and estimates from the ranks that lie beside these."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.results.estimates import Estimate, Slice, per_query, query_identity, slices
from dhns.results.provenance import differing_parts
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks
from dhns.results.relation_names import relation_names
from dhns.results.systems import DataSet, System

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """What is known of the systems of a data set.

    Attributes:
        metric: of the estimates.
        level: of their intervals.
        ranked: the systems that have ranks, in the order of estimates.
        against: that from which the others differ; None where there is none, or it has no ranks.
        slices: all queries, and then any others; empty where no system has ranks.
    """

    data: DataSet
    metric: str
    level: float
    ranked: tuple[System, ...]
    against: System | None
    slices: tuple[Slice, ...]

    def estimate(self, system: System) -> Estimate | None:
        """Over all queries; None without ranks."""
        return self.slices[0].estimates[self.ranked.index(system)] if system in self.ranked else None


def compare(
    data: DataSet,
    metric: str = "mrr",
    level: float = 0.95,
    by: str | None = None,
    against: str | None = None,
    data_sets: Path | None = None,
) -> Comparison:
    """Systems with estimates from their ranks, where they have any.

    Args:
        data: systems on the same triples.
        metric: ``mrr`` or ``hits@k``.
        level: of intervals.
        by: how queries are sliced, see `dhns.results.estimates.slices`.
        against: a system by hash, name or model; it may be absent.
        data_sets: folder of published data sets, for the names of relations, see `relation_names`.

    Raises:
        InputError: several systems go by that name.
    """
    other = data.named(against) if against is not None else None
    ranks = usable_ranks([(system.title, system.runs) for system in data.systems], data.split)
    if not ranks:
        return Comparison(data, metric, level, (), None, ())
    ranked = tuple(data.systems[place] for place in ranks)
    place = ranked.index(other) if other in ranked else None
    names = relation_names(data, data_sets) if by == "relation" else ()
    found = slices(list(ranks.values()), metric, level, by, place, names)
    return Comparison(data, metric, level, ranked, other if place is not None else None, tuple(found))


def notes(found: Sequence[Comparison], against: str | None = None) -> list[str]:
    """What a reader has to know of rows and data sets that lack something.

    Raises:
        InputError: no system goes by the name that the others should differ from, or none of them has ranks.
    """
    said = []
    rows, ranked = sum(len(one.data.systems) for one in found), sum(len(one.ranked) for one in found)
    if ranked < rows:
        said.append(
            f"{rows - ranked} of {rows} rows have no interval: beside their results lies no usable {FILE_NAME}, where "
            "runs keep the ranks of their queries since version 0.2 (train them again, with force=true)"
        )
    few = [one.data.label for one in found if one.ranked and one.slices[0].estimates[0].low is None]
    if few:
        said.append(f"the queries of {' and '.join(few)} are about too few entities for an interval")
    for name in dict.fromkeys(one.data.name for one in found):
        same = [one.data for one in found if one.data.name == name]
        if parts := differing_parts(data.results[0] for data in same):
            said.append(f"{' and '.join(data.label for data in same)} differ in {', '.join(parts)}")
        if len(same) > 1 and (unknown := [data.label for data in same if not data.fingerprints]):
            said.append(f"the results of {unknown[0]} do not say which data they are of")
    said += [line for one in found if (line := _of_several_devices(one.data))]
    if against is not None:
        said += _without(found, against)
    return said


def _of_several_devices(data: DataSet) -> str:
    """What was computed where, if not all on one kind of device; empty if it was, or the results do not say."""
    kinds = Counter(result["device"].partition(":")[0] for result in data.results if result.get("device"))
    if len(kinds) < 2:
        return ""
    counts = " and ".join(f"{count} on {kind}" for kind, count in sorted(kinds.items()))
    return f"of {data.label}, {counts}: the same settings and seed draw other random numbers there"


def _without(found: Sequence[Comparison], against: str) -> list[str]:
    """Why nothing is compared with a system, by data set."""
    lacking = [one.data.label for one in found if one.against is None]
    if len(lacking) < len(found):
        return [f"{against} is no row of {label}, or has no ranks" for label in lacking]
    names = [system.title for one in found for system in one.ranked]
    if not names:
        raise InputError(f"against={against}: none of these rows has ranks to compare; train again (force=true)")
    raise InputError(f"against={against}: no row with ranks goes by that name; there are {', '.join(names[:8])}")


def usable_ranks(
    systems: Sequence[tuple[str, Mapping[Path, Mapping[str, Any]]]], split: str
) -> dict[int, list[RankedQueries]]:
    """By place, the ranks of the systems all of whose runs keep some, of the queries that most systems have.

    Those whose ranks are of no use are left out, with a warning.

    Args:
        systems: for each its name, and its results by folder.
        split: that was ranked.
    """
    found = {place: ranks for place, system in enumerate(systems) if (ranks := _of_runs(*system, split))}
    counted = Counter(query_identity(ranks[0]) for ranks in found.values())
    usual = {identity for identity, _ in counted.most_common(1)}
    for place, ranks in list(found.items()):
        if {query_identity(ranked) for ranked in ranks} != usual:
            log.warning(
                "no interval for %s: its ranks are of other queries than those of its data set", systems[place][0]
            )
            del found[place]
    return found


def _of_runs(name: str, runs: Mapping[Path, Mapping[str, Any]], split: str) -> list[RankedQueries]:
    """Empty where a run has no ranks, or none that are of use."""
    if not all((folder / FILE_NAME).exists() for folder in runs):
        return []
    try:
        return [_of_run(folder / FILE_NAME, run["metrics"][split], split) for folder, run in runs.items()]
    except InputError as error:
        log.warning("no interval for %s: %s", name, error)
        return []


def _of_run(path: Path, metrics: Mapping[str, float], split: str) -> RankedQueries:
    """The ranks of a split.

    Raises:
        InputError: they are damaged, or the metrics were not made of them.
    """
    ranked = read_ranks(path, split).get(split)
    if ranked is None or not _belong(ranked, metrics):
        raise InputError(f"{path} does not belong to the result beside it; train again (force=true)")
    return ranked


def _belong(ranked: RankedQueries, metrics: Mapping[str, float]) -> bool:
    """Whether the metrics are those of the ranks, and these are whole."""
    if {len(array) for array in vars(ranked).values()} != {metrics.get("queries", len(ranked))}:
        return False
    return abs(float(per_query(ranked, "mrr").mean()) - metrics["mrr"]) < 1e-6
