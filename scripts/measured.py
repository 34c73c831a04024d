"""Writes the figures of docs/rows.md from the tables under results/tables: python scripts/measured.py."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from blocks import ROOT, replaced, rewrite

PAGE = ROOT / "docs" / "rows.md"
FOLDERS = [ROOT / "results" / name for name in ("tables", "full")]
BEGIN = "<!-- measured: scripts/measured.py writes this block from results/tables -->\n"
HEADINGS = {"2": "Tables 2 and 3", "3": "Tables 2 and 3", "4": "Table 4", "5": "Table 5"}


def block(files: Iterable[Path]) -> str:
    """Test MRR of every row by data set and budget, the number of the paper in brackets, as Markdown."""
    cells: dict[str, dict[tuple[str, str], dict[str, str]]] = {}
    columns: dict[str, None] = {}
    for file in files:
        with file.open(encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                if line["metric"] != "mrr" or not line["mean"]:
                    continue
                column = f"{line['dataset']}, {line['budget']}"
                columns[column] = None
                row = cells.setdefault(HEADINGS[line["table"]], {}).setdefault((line["group"], line["row"]), {})
                row[column] = _number(line)
    text = "Test MRR, %, by data set and budget; the paper's in brackets; * the table has a note.\n"
    for heading, rows in cells.items():
        used = [name for name in columns if any(name in row for row in rows.values())]
        text += f"\n{heading}\n\n| | | {' | '.join(used)} |\n|---|---|{'---:|' * len(used)}\n"
        for (group, label), row in rows.items():
            text += f"| {group} | {label} | {' | '.join(row.get(name, '') for name in used)} |\n"
    return text


def _number(line: dict[str, str]) -> str:
    number = f"{float(line['mean']):.2f}" + (f" ± {float(line['sd']):.2f}" if line["sd"] else "")
    return number + (f" ({float(line['published']):.2f})" if line["published"] else "") + ("*" if line["notes"] else "")


def updated(page: str, files: Iterable[Path]) -> str:
    """The page with its block made anew."""
    return replaced(page, BEGIN, block(files))


def tables() -> list[Path]:
    """The stored tables, the embedded data set first."""
    found = [path for folder in FOLDERS for path in folder.rglob("table.csv")]
    return sorted(found, key=lambda path: ("embedded" not in path.parts, path))


if __name__ == "__main__":
    rewrite(PAGE, lambda page: updated(page, tables()))
