"""Does a carved validation set look like test, and does it order systems as test does?

    python scripts/carve_check.py dataset=db15k                # the sets, and the orders of the runs under outputs/
    python scripts/carve_check.py dataset=db15k runs=FOLDER

Of the runs, those of the data set's clean protocol count; `make carve-check` makes some.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import torch
from rich.table import Table
from torch import Tensor

from dhns.config.composition import composed
from dhns.graph.cardinality import CATEGORIES, relation_category
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.load import load_graph
from dhns.graph.splits import Together
from dhns.graph.triple_sets import is_in
from dhns.results.schema import METRICS
from dhns.results.store import find_results
from dhns.results.tables import show
from dhns.results.titles import name

CARVES = get_args(Together)


def described(graph: KnowledgeGraph, split: str) -> dict[str, str]:
    """What makes the triples of a split easy or hard."""
    triples = graph.split(split)
    lesser, greater = triples[:, [0, 2]].aminmax(dim=1)
    linked = is_in(lesser * graph.num_entities + greater, graph.linked_pairs)
    category = relation_category(graph.train, graph.num_relations)[triples[:, 1]]
    degree = torch.bincount(graph.train[:, [0, 2]].flatten(), minlength=graph.num_entities)
    popularity = degree[triples[:, [0, 2]]].flatten().double()
    quantiles = popularity.quantile(torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)).tolist()
    return {
        "triples": f"{len(triples):,}",
        "linked in train": percent(linked),
        **{name: percent(category == number) for number, name in enumerate(CATEGORIES)},
        "popularity of the answer: 10, 50, 90 %": ", ".join(f"{value:.0f}" for value in quantiles),
        "relations drawn otherwise than in test": f"{100 * distance(graph, triples, graph.test):.1f} %",
        "with an entity that train lacks": percent(~graph.seen_entities[triples[:, [0, 2]]].all(dim=1)),
    }


def percent(mask: Tensor) -> str:
    return f"{100 * float(mask.double().mean()):.1f} %"


def distance(graph: KnowledgeGraph, one: Tensor, other: Tensor) -> float:
    """The share of triples whose relation would have to change: total variation of the relations."""
    shares = [torch.bincount(rows[:, 1], minlength=graph.num_relations) / len(rows) for rows in (one, other)]
    return float((shares[0] - shares[1]).abs().sum() / 2)


def sets(dataset: str) -> Table:
    """Test beside the validation set of each carve."""
    columns: dict[str, dict[str, str]] = {}
    for carve in CARVES:
        graph = load_graph(composed("data", {"dataset": dataset, "protocol": "clean"}, {"protocol.carve": carve}))
        columns[f"test, less the carve by {carve}"] = described(graph, "test")
        columns[f"carved by {carve}"] = described(graph, "valid")
    table = Table(title=f"{graph.name}: test and validation")
    for heading in ("", *columns):
        table.add_column(heading, justify="right" if heading else "left")
    for row in next(iter(columns.values())):
        table.add_row(row, *(column[row] for column in columns.values()))
    return table


def orders(dataset: str, runs: Path) -> Iterator[Table]:
    """Per carve, what validation and test say of each system, and how often they order two alike."""
    found = [result for _, result in find_results(runs) if "valid" in result["metrics"]]
    graph = composed("data", {"dataset": dataset}, {}).dataset.name
    for carve in CARVES:
        of_carve = [result for result in found if carved(result, graph) == carve]
        if len(of_carve) > 1:
            yield order(of_carve, f"{graph}, carved by {carve}")


def carved(result: Mapping[str, Any], dataset: str) -> str | None:
    """How the validation set of a run was carved; None of other data sets and protocols."""
    if result["dataset"] != dataset or result["protocol"]["name"] != "clean":
        return None
    return str(result["protocol"].get("carve", "pair"))  # results from before there was a choice


def order(results: Sequence[Mapping[str, Any]], heading: str) -> Table:
    results = sorted(results, key=lambda result: -result["metrics"]["test"]["mrr"])
    pairs = list(combinations([result["metrics"] for result in results], 2))
    alike = {
        metric: sum(
            (one["valid"][metric] - other["valid"][metric]) * (one["test"][metric] - other["test"][metric]) > 0
            for one, other in pairs
        )
        for metric in METRICS
    }
    said = ", ".join(f"{metric} {count} of {len(pairs)}" for metric, count in alike.items())
    table = Table(title=f"{heading}; pairs of systems in the same order in validation and test: {said}")
    for column in ("system", "seed", "valid MRR", "test MRR", "difference"):
        table.add_column(column, justify="left" if column == "system" else "right")
    for result in results:
        valid, test = (100 * result["metrics"][split]["mrr"] for split in ("valid", "test"))
        table.add_row(name(result), str(result["seed"]), f"{valid:.2f}", f"{test:.2f}", f"{valid - test:+.2f}")
    return table


def main() -> None:
    given = dict(argument.split("=", 1) for argument in sys.argv[1:])
    dataset, runs = given.get("dataset", "db15k"), Path(given.get("runs", "outputs"))
    show(sets(dataset))
    if any(runs.rglob("result.json")):
        for table in orders(dataset, runs):
            show(table)


if __name__ == "__main__":
    main()
