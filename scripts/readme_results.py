"""Writes the table of results in README.md from stored runs and conf/table: python scripts/readme_results.py."""

from __future__ import annotations

import statistics
from collections import defaultdict
from functools import cache
from typing import Any

from omegaconf import OmegaConf

from blocks import ROOT, control, replaced, rewrite
from dhns.results.store import find_results
from dhns.results.titles import sampler

PAGE = ROOT / "README.md"
FOLDERS = ("blend", "own_entity", "texts", "full", "tables/benchmarks")
BEGIN = "<!-- results: scripts/readme_results.py writes this table -->\n"
DATASETS = {"MKG-Y": ("3", "mkg_y"), "MKG-W": ("2", "mkg_w"), "DB15K": ("2", "db15k")}
"""The table of the paper, and the name in it."""
ROWS = {
    "TransE": ("transe", False),
    "TransD": ("transd", False),
    "DistMult": ("distmult", False),
    "ComplEx": ("complex", False),
    "PairRE": ("pairre", False),
    "RotatE": ("rotate", False),
    "RotatE, own entity": ("rotate", True),
    "GC-OTE": ("gc_ote", False),
    "IKRL": ("ikrl", False),
    "TBKGC": ("tbkgc", False),
    "TransAE": ("transae", False),
    "MMKRL": ("mmkrl", False),
    "RSME": ("rsme", False),
    "VBKGC": ("vbkgc", False),
    "OTKGE": ("otkge", False),
    "AdaMF": ("adamf", False),
    "AdaMF, own entity": ("adamf", True),
    "AdaMF-MAT": ("adamf_mat", False),
    "KBGAN": ("kbgan", False),
    "MANS": ("mans", False),
    "MMRNS": ("mmrns", False),
    "DHNS": ("dhns", False),
    "DHNS, own entity": ("dhns", True),
    "DistMult-N3": ("distmult_n3", False),
    "TuckER-N3": ("tucker_n3", False),
    "ComplEx-N3": ("complex_n3", False),
    "ComplEx-N3, own entity": ("complex_n3", True),
    "ComplEx-N3 and RotatE, blended": ("complex_n3 + rotate", False),
    "ComplEx-N3 and DHNS, blended": ("complex_n3 + dhns", False),
    "ComplEx-N3 and AdaMF, blended": ("complex_n3 + adamf", False),
    "ComplEx-N3, three seeds, blended": ("complex_n3 + complex_n3 + complex_n3", False),
    "DHNS, three seeds, blended": ("dhns + dhns + dhns", False),
    "ComplEx-N3 and DHNS, two seeds of each, blended": ("complex_n3 + complex_n3 + dhns + dhns", False),
}
"""By label: the system, and whether it has the number for the own entity."""


def table() -> str:
    """Test MRR by system and data set; of several budgets the longest, then of most seeds."""
    runs: dict[tuple[str, str, bool], dict[tuple[bool, str], dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for folder in FOLDERS:
        for _, result in find_results(ROOT / "results" / folder):
            config = result["config"]
            if control(config):
                continue
            cut = config.get("budget", "full") != "full"
            key = result["dataset"], _row(result), bool(config.get("own_entity", False))
            runs[key][cut, result["config_hash"]][result["seed"]] = 100 * result["metrics"]["test"]["mrr"]
    heads = " | ".join(f"{name}: paper | here" for name in DATASETS)
    text = f"| test MRR, % | {heads} |\n|---|{'---:|---:|' * len(DATASETS)}\n"
    for label, (system, own) in ROWS.items():
        cells = []
        for name, place in DATASETS.items():
            found = runs.get((name, system, own), {})
            cells += [_published(*place, system) if not own else "", _measured(found)]
        if any(cells):
            text += f"| {label} | {' | '.join(cells)} |\n"
    return text


def _row(result: dict[str, Any]) -> str:
    """The row of the paper's tables; KBGAN, of them, is a sampler under another system."""
    return "kbgan" if sampler(result) == "kbgan" else str(result["system"])


def _measured(found: dict[tuple[bool, str], dict[int, float]]) -> str:
    if not found:
        return ""
    (cut, _), seeds = min(found.items(), key=lambda item: (item[0][0], -len(item[1]), item[0][1]))
    values = list(seeds.values())
    spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread} ({len(values)}){'†' if cut else ''}"


def _published(number: str, dataset: str, row: str) -> str:
    printed = _table(number).published.get(dataset, {}).get(row)
    return f"{printed[0]:.2f}" if printed and printed[0] is not None else ""


@cache
def _table(number: str) -> Any:
    return OmegaConf.load(ROOT / "conf" / "table" / f"{number}.yaml")


def updated(page: str) -> str:
    """The page with its table made anew."""
    return replaced(page, BEGIN, table())


if __name__ == "__main__":
    rewrite(PAGE, updated)
