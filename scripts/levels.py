"""Writes the table of docs/levels.md, DHNS with other levels against DHNS: python scripts/levels.py.

Of the runs that are stored with the ranks of their queries, those that differ in nothing but the generator's levels,
weights, margins and copies, seed by seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from omegaconf import OmegaConf

from blocks import ROOT, Seeds, cells, difference, line, mean_mrr, ranked_results, replaced, rewrite
from dhns.config.identity import config_hash
from dhns.config.resolvers import register_resolvers
from dhns.results.ranks import RankedQueries

PAGE = ROOT / "docs" / "levels.md"
FOLDERS = [ROOT / "results" / name for name in ("full", "own_entity", "generated")]
BEGIN = "<!-- measured: scripts/levels.py writes this table -->\n"
HEADER = (
    "| data set | own entity | levels | generated | seeds | DHNS | with these | difference | 95 % | p |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---|---:|\n"
)
VARIANTS = {
    "single_level": "one, in copies",
    "no_mhld": "one",
    "levels_reversed": "weights and margins of the other end",
    "no_hal": "one margin for all",
    "no_ntat": "one margin and weight, views apart",
    "no_diffheg": "none",
}
"""What differs, by the name of the ablation, in the order of the page."""


def table() -> str:
    """A line per data set and variant that has runs of the same seeds as DHNS itself."""
    register_resolvers()
    found: dict[tuple[str, bool, str], dict[str, dict[int, RankedQueries]]]
    found = defaultdict(lambda: defaultdict(dict))
    generated: dict[str, int] = {}
    for result, ranked in ranked_results(FOLDERS):
        config = result["config"]
        if result["system"] != "dhns":
            continue
        others = config_hash(OmegaConf.create({**config, "generator": {}, "ablated": ""}))
        key = result["dataset"], bool(config.get("own_entity", False)), others
        found[key][result["ablated"]][result["seed"]] = ranked
        generated[result["ablated"]] = _negatives(config.get("generator") or {})
    lines = ""
    for (dataset, own, _), runs in sorted(found.items()):
        for variant in VARIANTS:
            lines += _line([dataset, "yes" if own else "no"], variant, generated.get(variant, 0), runs)
    return HEADER + lines


def _negatives(generator: Mapping[str, Any]) -> int:
    """Of a positive, per view and side."""
    return len(generator.get("levels", [])) * generator.get("model", {}).get("copies", 1)


def _line(start: list[str], variant: str, negatives: int, runs: Mapping[str, Seeds]) -> str:
    own, full = runs.get(variant, {}), runs.get("full", {})
    seeds = sorted(own.keys() & full.keys())
    own, full = ({seed: ranks[seed] for seed in seeds} for ranks in (own, full))
    found = difference(own, full)
    if found is None:
        return ""
    p = "< 0.001" if found.p < 0.001 else f"{found.p:.3f}"
    counts = [str(negatives), str(len(seeds))]
    return line([*start, VARIANTS[variant], *counts, mean_mrr(full), mean_mrr(own), *cells(found), p])


def updated(page: str) -> str:
    """The page with its table made anew."""
    return replaced(page, BEGIN, table())


if __name__ == "__main__":
    rewrite(PAGE, updated)
