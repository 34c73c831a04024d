"""Writes the table of docs/diffheg.md, what generated negatives add to the same model: python scripts/generated.py.

Of the runs that are stored with the ranks of their queries, those with a generator are held against those that differ
in nothing but it, seed by seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from blocks import ROOT, Seeds, cells, difference, line, mean_mrr, ranked_results, replaced, rewrite
from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.results.ranks import RankedQueries

PAGE = ROOT / "docs" / "diffheg.md"
STORED = ("full", "own_entity", "texts", "generated", "frugal", "strong", "ceilings")
FOLDERS = [ROOT / "results" / name for name in STORED]
BEGIN = "<!-- measured: scripts/generated.py writes this table -->\n"
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
    rows: dict[str, Row] = {}
    for result, ranked in ranked_results(FOLDERS):
        # neither a blend nor an ablation, which docs/levels.md has
        if "encoder" in result["config"] and result["ablated"] in ("full", "no_diffheg", "gaussian"):
            settings = result["config_hash"]
            if settings not in rows:
                rows[settings] = _row(result)
            found[rows[settings]][result["seed"]] = ranked
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


def _line(row: Row, runs: Seeds, others: Seeds) -> str:
    seeds = sorted(runs.keys() & others.keys())
    if not seeds:
        return ""
    own, without = ({seed: ranks[seed] for seed in seeds} for ranks in (runs, others))
    found = difference(own, without)
    assert found is not None
    return line(
        [
            row.dataset,
            row.model,
            "yes" if row.own_entity else "no",
            row.generator,
            str(len(seeds)),
            mean_mrr(without),
            mean_mrr(own),
            *cells(found),
            "< 0.001" if found.p < 0.001 else f"{found.p:.3f}",
        ]
    )


def updated(page: str) -> str:
    """The page with its table made anew."""
    return replaced(page, BEGIN, table())


if __name__ == "__main__":
    rewrite(PAGE, updated)
