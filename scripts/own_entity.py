"""Writes the table of docs/own-entity.md from stored runs that differ in nothing else: python scripts/own_entity.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from omegaconf import OmegaConf

from blocks import ROOT, Seeds, cells, difference, line, mean_mrr, ranked_results, replaced, rewrite
from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.results.ranks import RankedQueries
from dhns.results.titles import name

PAGE = ROOT / "docs" / "own-entity.md"
FOLDERS = [ROOT / "results" / name for name in ("own_entity", "full")]
BEGIN = "<!-- measured: scripts/own_entity.py writes this table -->\n"
HEADER = (
    "| data set | system | seeds | own above, % | MRR | left out | with its number | difference | 95 % |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|\n"
)


def table() -> str:
    """A line per system that has runs of the same seeds without and with the number."""
    register_resolvers()
    systems: dict[tuple[str, str, str], dict[bool, dict[int, RankedQueries]]]
    systems = defaultdict(lambda: {True: {}, False: {}})
    for result, ranked in ranked_results(FOLDERS):
        own = bool(result["config"].get("own_entity", False))
        others = config_hash(OmegaConf.create({**result["config"], "own_entity": False}))
        systems[result["dataset"], name(result), others][own][result["seed"]] = ranked
    return HEADER + "".join(_line(*key[:2], runs) for key, runs in sorted(systems.items()))


def _line(dataset: str, system: str, runs: Mapping[bool, Seeds]) -> str:
    seeds = sorted(runs[False].keys() & runs[True].keys())
    if not seeds:
        return ""
    without, with_it = ({seed: runs[own][seed] for seed in seeds} for own in (False, True))
    own_above = np.mean([(ranked.own == 2).mean() for ranked in without.values()])
    return line(
        [
            dataset,
            system,
            str(len(seeds)),
            f"{100 * own_above:.1f}",
            mean_mrr(without),
            f"{100 * np.mean([_left_out(ranked) for ranked in without.values()]):.2f}",
            mean_mrr(with_it),
            *cells(difference(with_it, without)),
        ]
    )


def _left_out(ranked: RankedQueries) -> float:
    """MRR, were the own entity no candidate where it is not the answer."""
    return float((1 / (ranked.realistic - ranked.own / 2)).mean())


def updated(page: str) -> str:
    """The page with its table made anew."""
    return replaced(page, BEGIN, table())


if __name__ == "__main__":
    rewrite(PAGE, updated)
