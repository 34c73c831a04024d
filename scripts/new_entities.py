"""What models make of entities that they were not trained with, and the table of docs/new-entities.md.

    python scripts/new_entities.py measure [MODEL ...]   # trains on the embedded graph; writes results/new_entities
    python scripts/new_entities.py                       # writes the table from there

Entities are held out whole. Up to three triples of each are told to the model; the others are asked for, both sides.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from typing import Any

import torch
from torch import Tensor

import dhns
from blocks import ROOT, replaced, rewrite
from dhns.files import write_json
from dhns.graph.held_out import HeldOut, hold_out_entities
from dhns.graph.newcomers import graph_with
from dhns.training.evaluation import rank_queries
from dhns.training.new_entities import with_entities

PAGE, RESULTS = ROOT / "docs" / "new-entities.md", ROOT / "results" / "new_entities"
BEGIN = "<!-- measured: scripts/new_entities.py writes this table -->\n"
DATASET, SHARE, SEEDS, MODELS = "world_flags", 0.05, (0, 1, 2), ("rotate", "complex_n3", "adamf")
TOLD = (0, 1, 3)
"""Triples of each newcomer that the model is told."""


def measure(model: str, seed: int) -> dict[str, Any]:
    """Train without some entities, add them by what is known of them, and rank the triples that were not told."""
    held = hold_out_entities(dhns.load_graph(DATASET), SHARE, seed)
    triples, order = _in_turn(held, seed)
    asked = triples[order >= max(TOLD)]
    with tempfile.TemporaryDirectory() as folder:
        settings = {"progress": False}
        run = dhns.train(
            held.graph, model, experiment="tuned", budget="short", seed=seed, outputs=folder, settings=settings
        )
        module = run.model.ranker
    found = {}
    for features in (False, True):
        graph = graph_with(held.graph, held.keys, held.features if features else None)
        for told in TOLD:
            grown = with_entities(module, graph, triples[order < told])  # type: ignore[arg-type]
            found[f"features={features} triples={told}"] = rank_queries(grown, asked)[0]
    result = run.result
    kept = {key: result[key] for key in ("system", "config_hash", "versions", "fingerprints")}
    return {**kept, "seed": seed, "entities": len(held.keys), "asked": len(asked), "test": run.metrics, "found": found}


def _in_turn(held: HeldOut, seed: int) -> tuple[Tensor, Tensor]:
    """Triples in a random order, and of each how many of the same newcomer come before it."""
    triples = held.triples[torch.randperm(len(held.triples), generator=torch.Generator().manual_seed(seed))]
    new = triples[:, [0, 2]].max(1).values.tolist()
    return triples, torch.tensor([new[:row].count(entity) for row, entity in enumerate(new)])


def table() -> str:
    """MRR by model: of its test split, and of newcomers by what it was told of them."""
    heads = [f"{told} triple{'s' * (told != 1)}" for told in TOLD]
    columns = [*heads, *(f"features, {head}" for head in heads)]
    text = f"| MRR, % | seeds | test, entities of train | {' | '.join(columns)} |\n"
    text += f"|---|---:|---:|{'---:|' * len(columns)}\n"
    for model in MODELS:
        runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(f"{model}-*.json"))]
        if runs:
            names = [f"features={features} triples={told}" for features in (False, True) for told in TOLD]
            values = [[run["test"]["mrr"] for run in runs]]
            values += [[run["found"][name]["mrr"] for run in runs] for name in names]
            cells = [f"{100 * statistics.mean(each):.1f} ± {100 * statistics.stdev(each):.1f}" for each in values]
            text += f"| {model} | {len(runs)} | {' | '.join(cells)} |\n"
    return text


def updated(page: str) -> str:
    """The page with the table of what is stored."""
    return replaced(page, BEGIN, table())


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        for name in sys.argv[2:] or MODELS:
            for number in SEEDS:
                write_json(RESULTS / f"{name}-{number}.json", measure(name, number))
    rewrite(PAGE, updated)
