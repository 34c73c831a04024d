"""Writes the table of docs/own-entity.md from the runs under results/own_entity: python scripts/own_entity.py."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dhns.results.estimates import paired_differences
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks
from dhns.results.store import find_results
from dhns.results.titles import name

ROOT = Path(__file__).resolve().parents[1]
PAGE, RUNS = ROOT / "docs" / "own-entity.md", ROOT / "results" / "own_entity"
BEGIN, END = "<!-- measured: scripts/own_entity.py writes this table -->\n", "<!-- end -->"
HEADER = (
    "| data set | system | seeds | own above, % | MRR | left out | with its number | difference | 95 % |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|---|\n"
)


def table() -> str:
    """A line per system that has runs of the same seeds without and with the number."""
    systems: dict[tuple[str, str], dict[bool, dict[int, RankedQueries]]] = defaultdict(lambda: {True: {}, False: {}})
    for path, result in find_results(RUNS):
        own = bool(result["config"].get("own_entity", False))
        ranked = read_ranks(path.with_name(FILE_NAME))["test"]
        systems[result["dataset"], name(result)][own][result["seed"]] = ranked
    return HEADER + "".join(_line(*key, runs) for key, runs in sorted(systems.items()))


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
