"""What the scripts that write pages share: blocks between two comments, stored ranks, cells of their differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dhns.files import write_text
from dhns.results.estimates import Difference, paired_differences
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks
from dhns.results.store import find_results

ROOT = Path(__file__).resolve().parents[1]
END = "<!-- end -->"

Seeds = Mapping[int, RankedQueries]
"""The ranks of a system's test queries by seed."""


def replaced(page: str, begin: str, block: str) -> str:
    """The page with another block between the comment ``begin``, which it holds once, and the next ``END``."""
    before, rest = page.split(begin)
    return f"{before}{begin}{block}{rest[rest.index(END) :]}"


def rewrite(page: Path, updated: Callable[[str], str]) -> None:
    """Write a page anew, whole or not at all."""
    write_text(page, updated(page.read_text(encoding="utf-8")))


def ranked_results(folders: Sequence[Path]) -> Iterator[tuple[dict[str, Any], RankedQueries]]:
    """Results that are stored with the ranks of their test queries, and those."""
    for folder in folders:
        for path, result in find_results(folder) if folder.is_dir() else []:
            ranks = path.with_name(FILE_NAME)
            if ranks.is_file():
                yield result, read_ranks(ranks, "test")["test"]


def control(config: Mapping[str, Any]) -> str | None:
    """What was done to the features on purpose, ``shuffled`` or ``random``."""
    return (config.get("features") or {}).get("kind")


def mean_mrr(runs: Seeds) -> str:
    """In percent, over seeds."""
    return f"{100 * np.mean([(1 / ranked.realistic).mean() for ranked in runs.values()]):.2f}"


def difference(own: Seeds, reference: Seeds) -> Difference | None:
    """Of MRR, over the seeds that both have, if any."""
    seeds = sorted(own.keys() & reference.keys())
    if not seeds:
        return None
    systems = {"own": [own[seed] for seed in seeds], "reference": [reference[seed] for seed in seeds]}
    return paired_differences(systems, "reference")["own"]


def cells(found: Difference | None) -> tuple[str, str]:
    """A difference and its interval, in points; empty where there is none."""
    if found is None:
        return "", ""
    low, high = (100 * (bound or 0) for bound in (found.low, found.high))
    return f"{100 * found.value:+.2f}", f"[{low:+.2f}, {high:+.2f}]"


def line(values: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(values)} |\n"
