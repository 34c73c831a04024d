"""Writes docs/domains.md, what views and generated negatives are worth on each data set, and draws its figure.

    python scripts/domains.py                    # the tables and the figure
    python scripts/domains.py measure FOLDER     # what the graphs and their texts are like, from data sets in a folder

Rows of a data set share its splits and the budget full, and have the number for the own entity.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import dhns
import texts
from blocks import ROOT, Seeds, cells, difference, line, mean_mrr, replaced, rewrite
from dhns.files import write_json
from dhns.graph.knowledge_graph import KnowledgeGraph
from texts import Stored

PAGE, RUNS = ROOT / "docs" / "domains.md", ROOT / "results" / "domains"
BEGIN = "<!-- measured: scripts/domains.py writes these tables -->\n"
GRAPHS, FIGURE = RUNS / "graphs.json", RUNS / "domains.png"
FEATURES = {
    "mkg_y": ("MKG-Y", "label"),
    "mkg_w": ("MKG-W", "label"),
    "db15k": ("DB15K", "description"),
    "fb15k_237": ("FB15k-237", "description"),
    "wn18rr": ("WN18RR", "description"),
}
"""By data set: its folder, and what its texts are here."""
KINDS = {"label": "names", "description": "descriptions"}
SYSTEMS = {
    "RotatE": ("rotate", False),
    "AdaMF, texts of other entities": ("adamf", True),
    "AdaMF": ("adamf", False),
    "DHNS": ("dhns", False),
    "ComplEx-N3": ("complex_n3", False),
}
"""By label: the system, and whether its texts are shuffled."""
REFERENCE = "RotatE"
PAIRS = 100_000
"""Of entities, drawn for the likeness of their texts."""

Rows = dict[str, dict[str, list[Stored]]]
"""Runs by data set and label."""


def rows() -> Rows:
    """Those of the data sets whose graph was measured, in its order."""
    stored = list(texts.stored_runs())
    found: Rows = {}
    for graph in graphs():
        kind = KINDS[graph["features"]]
        own = {}
        for label, (system, shuffled) in SYSTEMS.items():
            wanted = "" if system in ("rotate", "complex_n3") else kind + (", shuffled" if shuffled else "")
            runs = [run for run in stored if run[:3] == (graph["name"], system, wanted) and plain(run.result["config"])]
            if runs:
                own[label] = sorted(runs, key=lambda run: int(run.result["seed"]))
        if REFERENCE in own:
            found[graph["name"]] = own
    return found


def plain(config: Mapping[str, Any]) -> bool:
    """Whether a run has the system's own generator, at its default or the cheaper one, or none."""
    return (config.get("generator") or {}).get("name", "default") in ("default", "frugal")


def ranks(runs: list[Stored]) -> Seeds:
    """By seed."""
    return {run.result["seed"]: run.ranked for run in runs}


def mean(runs: list[Stored], split: str, metric: str) -> str:
    """In percent, over seeds; empty where the runs have none."""
    values = [run.result["metrics"][split].get(metric) for run in runs]
    return "" if None in values else f"{100 * np.mean(values):.2f}"


def graphs() -> list[dict[str, Any]]:
    """What was measured of each graph."""
    found: list[dict[str, Any]] = json.loads(GRAPHS.read_text(encoding="utf-8"))
    return found


def tables() -> str:
    """The graphs; then the systems on each."""
    text = "| data set | entities | relations | train | median degree | linked | new entity | texts | likeness |\n"
    text += "|---|---:|---:|---:|---:|---:|---:|---|---:|\n"
    for graph in graphs():
        counts = [f"{graph[key]:,}" for key in ("entities", "relations", "train")]
        shares = [f"{100 * graph[key]:.0f} %" for key in ("linked", "unseen")]
        kind = f"{KINDS[graph['features']]}, {100 * graph['with_text']:.0f} %"
        likeness = f"{graph['likeness']:.2f} ± {graph['spread']:.2f}"
        text += line([graph["name"], *counts, f"{graph['degree']:.0f}", *shares, kind, likeness])
    text += "\n| data set | system | seeds | validation MRR | test MRR | Hits@10 | new entity | to RotatE | 95 % |\n"
    text += "|---|---|---:|---:|---:|---:|---:|---:|---|\n"
    for dataset, own in rows().items():
        for label, runs in own.items():
            apart = cells(difference(ranks(runs), ranks(own[REFERENCE])) if label != REFERENCE else None)
            start = [dataset, label, str(len(runs)), mean(runs, "valid", "mrr"), mean_mrr(ranks(runs))]
            text += line([*start, mean(runs, "test", "hits@10"), mean(runs, "test", "unseen/mrr"), *apart])
    return text


def updated(page: str) -> str:
    """The page with its tables made anew."""
    return replaced(page, BEGIN, tables())


def draw() -> None:
    """Differences from RotatE with their intervals, a column per data set."""
    from matplotlib.figure import Figure

    found, labels = rows(), [label for label in SYSTEMS if label != REFERENCE]
    figure = Figure(figsize=(2.6 * len(found), 2.6), layout="constrained")
    for axes, (dataset, own) in zip(
        figure.subplots(1, len(found), squeeze=False, sharey=True)[0], found.items(), strict=True
    ):
        for row, label in enumerate(reversed(labels)):
            apart = difference(ranks(own[label]), ranks(own[REFERENCE])) if label in own else None
            if apart is not None:
                value = 100 * apart.value
                bounds = [[value - 100 * (apart.low or 0)], [100 * (apart.high or 0) - value]]
                axes.errorbar([value], [row], xerr=bounds, fmt="o", color="tab:blue", capsize=3)
        axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
        axes.set(title=dataset, yticks=range(len(labels)), yticklabels=reversed(labels))
    figure.supxlabel("test MRR, points above RotatE")
    figure.savefig(FIGURE, dpi=110, metadata={"Software": None})


# --- the graphs -----------------------------------------------------------------------------------------------------


def shape(graph: KnowledgeGraph) -> dict[str, Any]:
    """Sizes, how far test is to be guessed from train, and how alike the texts of any two entities are."""
    ends = graph.test[:, [0, 2]]
    lesser, greater = ends.aminmax(dim=1)
    linked = torch.isin(lesser * graph.num_entities + greater, graph.linked_pairs)
    texts_there = graph.modalities["textual"].present.nonzero()[:, 0]
    pairs = np.random.default_rng(0).choice(texts_there.numpy(), (PAIRS, 2))
    pairs = torch.from_numpy(pairs[pairs[:, 0] != pairs[:, 1]])
    one, other = graph.modalities["textual"].features[pairs].float().unbind(1)
    cosines = torch.cosine_similarity(one, other)
    return {
        "entities": graph.num_entities,
        "relations": graph.num_relations,
        "train": len(graph.train),
        "degree": float(graph.train[:, [0, 2]].flatten().bincount(minlength=graph.num_entities).median()),
        "linked": float(linked.float().mean()),
        "unseen": float((~graph.seen_entities[ends]).any(1).float().mean()),
        "with_text": len(texts_there) / graph.num_entities,
        "likeness": float(cosines.mean()),
        "spread": float(cosines.std()),
    }


def measure(folder: Path) -> list[dict[str, Any]]:
    """What the data sets of a folder are like."""
    found = []
    for name, (place, features) in FEATURES.items():
        vectors = {"textual": f"textual-sbert-{features}.safetensors", "visual": None}
        graph = dhns.load_graph(name, folder=str(folder / place), modalities=vectors)
        found.append({"name": graph.name, "features": features, **shape(graph)})
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        RUNS.mkdir(parents=True, exist_ok=True)
        write_json(GRAPHS, measure(Path(sys.argv[2])))
    draw()
    rewrite(PAGE, updated)
