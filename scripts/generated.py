"""Writes the table of docs/diffheg.md, what generated negatives add to the same model: python scripts/generated.py.

Of the runs that are stored with the ranks of their queries, those with a generator are held against those that differ
in nothing but it, seed by seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf

from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.results.estimates import paired_differences
from dhns.results.ranks import FILE_NAME, RankedQueries, read_ranks
from dhns.results.store import find_results

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "diffheg.md"
FOLDERS = [ROOT / "results" / name for name in ("full", "own_entity", "generated", "frugal", "strong", "ceilings")]
BEGIN, END = "<!-- measured: scripts/generated.py writes this table -->\n", "<!-- end -->"
HEADER = (
    "| data set | model | own entity | generator | seeds | MRR without | MRR with | difference | 95 % | p |\n"
    "|---|---|---|---|---:|---:|---:|---:|---|---:|\n"
)
_NO_GENERATOR = {"generator": {}, "system": "", "ablated": "full"}


class Row(NamedTuple):
    """What is compared: a data set, a model, whether its own entity has a number, the hash of all else, a generator."""

    dataset: str
    model: str
    own_entity: bool
    others: str
    generator: str


Ranks = dict[Row, dict[int, RankedQueries]]


def table() -> str:
    """A line per row that has runs without the generator of the same seeds."""
    runs = _runs()
    return HEADER + "".join(
        _line(row, ranks, runs.get(row._replace(generator=""), {}))
        for row, ranks in sorted(runs.items())
        if row.generator
    )


def _runs() -> Ranks:
    register_resolvers()
    found: Ranks = defaultdict(dict)
    for path, result in (run for folder in FOLDERS if folder.is_dir() for run in find_results(folder)):
        ranks = path.with_name(FILE_NAME)
        if ranks.is_file() and "encoder" in result["config"]:  # not a blend
            found[_row(result)][result["seed"]] = read_ranks(ranks)["test"]
    return found


def _row(result: Mapping[str, Any]) -> Row:
    config = result["config"]
    others = config_hash(OmegaConf.create({**config, **_NO_GENERATOR}))
    encoder, scorer = (config[part]["_target_"].rpartition(".")[2] for part in ("encoder", "scorer"))
    model = scorer if encoder == "StructuralEncoder" else f"{scorer}, {encoder}"
    generator = (config.get("generator") or {}).get("name", "")
    if generator and result["ablated"] not in ("full", generator):
        generator += f", {result['ablated']}"
    own = bool(config.get("own_entity", False))
    return Row(result["dataset"], model, own, others, generator)


def _line(row: Row, runs: Mapping[int, RankedQueries], others: Mapping[int, RankedQueries]) -> str:
    seeds = sorted(runs.keys() & others.keys())
    if not seeds:
        return ""
    own, without = [runs[seed] for seed in seeds], [others[seed] for seed in seeds]
    difference = paired_differences({"without": without, "with": own}, "without")["with"]
    low, high = (100 * (bound or 0) for bound in (difference.low, difference.high))
    cells = [
        row.dataset,
        row.model,
        "yes" if row.own_entity else "no",
        row.generator,
        str(len(seeds)),
        *(f"{100 * np.mean(list(_mrr(ranks))):.2f}" for ranks in (without, own)),
        f"{100 * difference.value:+.2f}",
        f"[{low:+.2f}, {high:+.2f}]",
        "< 0.001" if difference.p < 0.001 else f"{difference.p:.3f}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _mrr(runs: list[RankedQueries]) -> Iterator[float]:
    for ranked in runs:
        yield float((1 / ranked.realistic).mean())


def updated(page: str) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
