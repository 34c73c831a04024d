"""Tables for people, from result files."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.table import Table

from dhns.console import PlainConsole, markdown_table
from dhns.results.schema import METRICS
from dhns.results.titles import title

if TYPE_CHECKING:
    from dhns.results.missing import Setting


def run_table(result: dict[str, Any], split: str = "test") -> Table:
    """What one run measured on a split, and the baseline that learns nothing."""
    kind = str(result.get("device") or "cpu").partition(":")[0]
    where = "" if kind == "cpu" else f", by a run on {kind}"
    heading = f"{title(result)}: {split} split of {result['dataset']}{where}, filtered, realistic ranks, %"
    table = metrics_table(result["metrics"][split], heading)
    if split in result.get("baseline", {}):
        table.add_section()
        table.add_row(*_row("relation frequency (learns nothing)", result["baseline"][split], ""))
    return table


def metrics_table(metrics: dict[str, float], heading: str) -> Table:
    """Metrics overall, per side, per tie rule, per relation category, and for unseen, linked or changed entities."""
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


def missing_table(results: Mapping[Setting, list[dict[str, Any]]], split: str = "test") -> Table:
    """One row per system and mask, means and deviations over seeds.

    Args:
        results: of one data set, as `dhns.results.missing.by_missing` gives them.
        split: of the metrics.
    """
    dataset = next(iter(results)).dataset
    table = Table(title=f"{dataset}: {split} split, filtered, realistic ranks, both sides, % (mean ± sd over seeds)")
    texts = ("system", "taken from", "masks")
    for column in ("system", "taken from", "share, %", "seeds", "MRR", "MRR kept", "MRR lost", "Hits@10", "masks"):
        table.add_column(column, justify="left" if column in texts else "right")
    for (_, system, strategy, share), runs in results.items():
        metrics = [run["metrics"][split] for run in runs]
        cells = [_spread_of(metrics, key) for key in ("mrr", "kept/mrr", "lost/mrr", "hits@10")]
        parts = (runs[0].get("fingerprints") or {}).items()
        masks = [f"{part.removeprefix('removed/')} {mask[:8]}" for part, mask in parts if part.startswith("removed/")]
        table.add_row(system, strategy, f"{100 * share:g}", str(len(runs)), *cells, ", ".join(masks))
    return table


def show(table: Table, markdown: bool = False) -> None:
    """Print a table, wide enough for its columns when the output is no terminal; ``markdown`` for documents."""
    if markdown:
        columns = table.columns
        rows = zip(*([str(cell) for cell in column.cells] for column in columns), strict=True)
        align = ["right" if column.justify == "right" else "left" for column in columns]
        text = markdown_table([str(column.header) for column in columns], rows, align)
        PlainConsole().print(f"\n{text}\n", soft_wrap=True)
        return
    console = PlainConsole()
    (console if console.is_terminal else PlainConsole(width=160)).print(table)


def _slices(metrics: dict[str, float]) -> list[str]:
    suffix = "/mrr"
    names = [key.removesuffix(suffix) for key in metrics if key.endswith(suffix)]
    return [name for name in names if name.count("/") == 0]


def _row(name: str, metrics: dict[str, float], prefix: str) -> list[str]:
    count = metrics.get(f"{prefix}queries", metrics.get("queries"))
    shares = [_shown(metrics, f"{prefix}{metric}") for metric in (*METRICS, "amri")]
    rank = metrics.get(f"{prefix}mr")
    whole = ["" if number is None else f"{number:.0f}" for number in (count, rank)]
    return [name, whole[0], *shares[:-1], whole[1], shares[-1]]


def _shown(metrics: dict[str, float], key: str) -> str:
    return percent(metrics[key]) if key in metrics else ""


def percent(value: float) -> str:
    """A share of one in percent, with two decimals."""
    return f"{100 * value:.2f}"


def _spread_of(metrics: list[dict[str, float]], key: str) -> str:
    return spread([m[key] for m in metrics]) if all(key in m for m in metrics) else ""


def spread(values: Sequence[float]) -> str:
    """Mean, and deviation of several, in percent; empty for none."""
    if not values:
        return ""
    mean = percent(statistics.mean(values))
    return mean if len(values) == 1 else f"{mean} ± {100 * statistics.stdev(values):.2f}"
