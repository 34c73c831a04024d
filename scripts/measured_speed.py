"""Writes the tables of docs/performance.md from the files under results/bench: python scripts/measured_speed.py.

Speeds are those that ``make bench`` left; qualities are those of training runs with cheaper and dearer generators.
"""

from __future__ import annotations

import json
from typing import Any

from blocks import ROOT, replaced, rewrite
from dhns.results.store import read_result

PAGE = ROOT / "docs" / "performance.md"
SPEEDS = "<!-- speeds: scripts/measured_speed.py writes this block from results/bench -->\n"
QUALITIES = "<!-- qualities: scripts/measured_speed.py writes this block from results/bench/quality -->\n"


def block(works: list[dict[str, Any]]) -> str:
    """A Markdown table per work: each side's median, how it compares with the baseline, and its peak memory."""
    text = "\n".join(_table(work) for work in works)
    return text.replace("diffheg=", "generator=")  # as the setting was called when some were measured


def _table(work: dict[str, Any]) -> str:
    ratios, unit = work["times_as_fast"], work["unit"]
    where = f"{work['data']}; " if work["data"] else ""
    machine = f"{work['machine']['threads']} threads, load before {work['load_before']:.1f}, commit {work['commit']}"
    lines = [
        f"**{work['title']}** ({where}{machine})\n",
        f"| | {unit} | times as fast | peak GiB |",
        "|---|---:|---:|---:|",
    ]
    for side in work["sides"]:
        if "failure" in side:
            lines.append(f"| {side['label']} | failed | | |")
            continue
        remark = f" ({side['remark']})" if side["remark"] else ""
        cells = [_figure(side["median"]), _figure(ratios.get(side["label"])), f"{side['peak_mib'] / 1024:.1f}"]
        lines.append(f"| {side['label']}{remark} | {' | '.join(cells)} |")
    for quoted in work["quoted"]:
        ratio = _figure(ratios.get(quoted["label"]))
        lines.append(f"| {quoted['label']} (quoted, not measured here) | {_figure(quoted['value'])} | {ratio} | |")
    return "\n".join(lines) + "\n"


def _figure(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def works() -> list[dict[str, Any]]:
    """The stored works, in the order of their names."""
    files = sorted((ROOT / "results" / "bench").glob("*/*.json"), key=lambda path: path.name)
    return [json.loads(path.read_text(encoding="utf-8")) for path in files]


def qualities(results: list[dict[str, Any]]) -> str:
    """A line per run, the dearest generator first: what it costs, valid and test MRR, and seconds of training."""
    columns = ("steps of the chain", "positives with negatives", "hidden layer", "products of the chain")
    lines = [f"| {' | '.join(columns)} | valid MRR | test MRR | training, s |"]
    lines += ["|---:|---:|---:|---|---:|---:|---:|"]
    for result in sorted(results, key=lambda result: -result["time"]["train_s"]):
        generator = result["config"]["generator"]["model"]
        steps = generator["sampling_steps"] or f"all {generator['schedule']['steps']}"
        rows = generator["rows"] or f"all {result['config']['data']['batch_size']}"
        valid, test = (100 * result["metrics"][split]["mrr"] for split in ("valid", "test"))
        width = f"{generator['denoiser']['hidden_factor']:g} D"
        products = "int8" if generator.get("int8") else "fp32"
        figures = f"{valid:.2f} | {test:.2f} | {result['time']['train_s']:.0f}"
        lines.append(f"| {steps} | {rows} | {width} | {products} | {figures} |")
    return "\n".join(lines) + "\n"


def runs() -> list[dict[str, Any]]:
    """The stored runs of the generator's variants."""
    files = sorted((ROOT / "results" / "bench" / "quality").glob("*/result.json"))
    return [read_result(path) for path in files]


def updated(page: str) -> str:
    """The page with its blocks made anew."""
    for begin, text in ((SPEEDS, block(works())), (QUALITIES, qualities(runs()))):
        page = replaced(page, begin, text)
    return page


if __name__ == "__main__":
    rewrite(PAGE, updated)
