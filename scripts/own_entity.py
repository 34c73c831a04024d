"""Writes the table of docs/own-entity.md from stored runs that differ in nothing else: python scripts/own_entity.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.results.estimates import paired_differences
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks
from dhns.results.store import find_results
from dhns.results.titles import name

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "own-entity.md"
FOLDERS = [ROOT / "results" / name for name in ("own_entity", "full")]
BEGIN, END = "<!-- measured: scripts/own_entity.py writes this table -->\n", "<!-- end -->"
HEADER = (
    "| data set | system | seeds | own above, % | MRR | left out | with its number | difference | 95 % |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|\n"
)


def table() -> str:
    """A line per system that has runs of the same seeds without and with the number."""
    systems: dict[tuple[str, str, str], dict[bool, dict[int, RankedQueries]]]
    register_resolvers()
    systems = defaultdict(lambda: {True: {}, False: {}})
    for path, result in (run for folder in FOLDERS for run in find_results(folder)):
        own = bool(result["config"].get("own_entity", False))
        others = config_hash(OmegaConf.create({**result["config"], "own_entity": False}))
        key = result["dataset"], name(result), others
        systems[key][own][result["seed"]] = read_ranks(path.with_name(FILE_NAME))["test"]
    return HEADER + "".join(_line(*key[:2], runs) for key, runs in sorted(systems.items()))


def _line(dataset: str, system: str, runs: Mapping[bool, Mapping[int, RankedQueries]]) -> str:
    seeds = sorted(runs[False].keys() & runs[True].keys())
    if not seeds:
        return ""
    without, with_it = ([runs[own][seed] for seed in seeds] for own in (False, True))
    difference = paired_differences({"without": without, "with": with_it}, "without")["with"]
    low, high = (100 * (bound or 0) for bound in (difference.low, difference.high))
    cells: list[Any] = [
        f"{100 * np.mean([(ranked.own == 2).mean() for ranked in without]):.1f}",
        *(f"{100 * np.mean(values):.2f}" for values in (_mrr(without), _left_out(without), _mrr(with_it))),
        f"{100 * difference.value:+.2f}",
        f"[{low:+.2f}, {high:+.2f}]",
    ]
    return f"| {dataset} | {system} | {len(seeds)} | {' | '.join(cells)} |\n"


def _mrr(runs: list[RankedQueries]) -> list[float]:
    return [float((1 / ranked.realistic).mean()) for ranked in runs]


def _left_out(runs: list[RankedQueries]) -> list[float]:
    """Were the own entity no candidate where it is not the answer."""
    return [float((1 / (ranked.realistic - ranked.own / 2)).mean()) for ranked in runs]


def updated(page: str) -> str:
    """The page with its table made anew."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + table() + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
