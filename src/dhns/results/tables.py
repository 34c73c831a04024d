"""Tables for people, from result files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

METRICS = ("mrr", "hits@1", "hits@3", "hits@10")


def run_table(result: dict[str, Any], split: str = "test") -> Table:
    """What one run measured on a split, and the baseline that learns nothing."""
    heading = f"{title(result)}: {split} split of {result['dataset']}, filtered, realistic ranks, %"
    table = metrics_table(result["metrics"][split], heading)
    if split in result.get("baseline", {}):
        table.add_section()
        table.add_row(*_row("relation frequency (learns nothing)", result["baseline"][split], ""))
    return table


def metrics_table(metrics: dict[str, float], heading: str) -> Table:
    """Metrics overall, per side, per tie rule, per relation category and for unseen entities."""
    table = Table(title=heading)
    for column in ("queries", "count", "MRR", "Hits@1", "Hits@3", "Hits@10", "MR", "AMRI"):
        table.add_column(column, justify="left" if column == "queries" else "right")
    for name in ("", *_slices(metrics)):
        table.add_row(*_row(name or "all", metrics, f"{name}/" if name else ""))
    return table


def two_columns(heading: str, rows: Iterable[tuple[str, str]]) -> Table:
    """Names and values."""
    table = Table(title=heading, show_header=False)
    for name, value in rows:
        table.add_row(name, value)
    return table


def comparison(results: Iterable[dict[str, Any]], split: str = "test") -> Table:
    """One row per system and data set, means and deviations over seeds; the learning-free baseline first."""
    results = list(results)
    table = Table(title=f"{split} split, filtered, realistic ranks, both sides, % (mean ± sd over seeds)")
    for column in (
        "data set",
        "system",
        "protocol",
        "seeds",
        "MRR",
        "Hits@1",
        "Hits@3",
        "Hits@10",
        "MRR unseen",
        "train s",
    ):
        table.add_column(column, justify="left" if column in ("data set", "system", "protocol") else "right")
    for dataset in sorted({r["dataset"] for r in results}):
        of_dataset = [r for r in results if r["dataset"] == dataset]
        baselines = [r["baseline"][split] for r in of_dataset if split in r.get("baseline", {})]
        if baselines:
            cells = [_percent(baselines[0][metric]) for metric in METRICS]
            unseen = baselines[0].get("unseen/mrr")
            table.add_row(dataset, "relation frequency", "", "", *cells, "" if unseen is None else _percent(unseen), "")
        groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for result in of_dataset:
            groups.setdefault((title(result), result["protocol"]["name"]), []).append(result)
        for (name, protocol), runs in sorted(groups.items(), key=lambda item: _mean(item[1], split, "mrr")):
            cells = [_spread([r["metrics"][split][metric] for r in runs]) for metric in METRICS]
            unseen_values = [r["metrics"][split]["unseen/mrr"] for r in runs if "unseen/mrr" in r["metrics"][split]]
            seconds = statistics.mean(r["time"]["train_s"] for r in runs)
            unseen_cell = _spread(unseen_values) if unseen_values else ""
            table.add_row(dataset, name, protocol, str(len(runs)), *cells, unseen_cell, f"{seconds:.0f}")
        table.add_section()
    return table


def title(result: dict[str, Any]) -> str:
    """System, scorer, ablation and short hash of a run."""
    scorer = result["config"]["scorer"]["_target_"].rsplit(".", 1)[-1]
    parts = [result["system"]] if result["system"].lower() == scorer.lower() else [result["system"], scorer]
    if result["ablated"] != "full":
        parts.append(result["ablated"])
    return f"{' '.join(parts)} [{result['config_hash']}]"


def show(table: Table) -> None:
    """Print a table, wide enough for its columns when the output is no terminal."""
    console = Console()
    (console if console.is_terminal else Console(width=140)).print(table)


def _slices(metrics: dict[str, float]) -> list[str]:
    suffix = "/mrr"
    names = [key.removesuffix(suffix) for key in metrics if key.endswith(suffix)]
    return [name for name in names if name.count("/") == 0]


def _row(name: str, metrics: dict[str, float], prefix: str) -> list[str]:
    count = metrics.get(f"{prefix}queries", metrics["queries"])
    cells = [_percent(metrics[f"{prefix}{metric}"]) for metric in METRICS]
    return [name, f"{count:.0f}", *cells, f"{metrics[f'{prefix}mr']:.0f}", _percent(metrics.get(f"{prefix}amri", 0.0))]


def _percent(value: float) -> str:
    return f"{100 * value:.2f}"


def _spread(values: list[float]) -> str:
    mean = _percent(statistics.mean(values))
    return mean if len(values) == 1 else f"{mean} ± {100 * statistics.stdev(values):.2f}"


def _mean(runs: list[dict[str, Any]], split: str, metric: str) -> float:
    return float(statistics.mean(r["metrics"][split][metric] for r in runs))
