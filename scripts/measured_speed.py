"""Writes the tables of docs/performance.md from the files under results/bench: python scripts/measured_speed.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- measured: scripts/measured_speed.py writes this block from results/bench -->\n", "<!-- end -->"


def block(works: list[dict[str, Any]]) -> str:
    """A Markdown table per work: each side's median, how it compares with the baseline, and its peak memory."""
    return "\n".join(_table(work) for work in works)


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


def updated(page: str, found: list[dict[str, Any]]) -> str:
    """The page with its block made anew."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + block(found) + END + rest.split(END, 1)[1]


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), works()), encoding="utf-8")
