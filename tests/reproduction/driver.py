"""A driver to be killed: five runs of the small program, two at a time, then the table."""

import sys
from pathlib import Path

from dhns.experiments.reproduction.paper_formats import write_table
from dhns.experiments.reproduction.paper_table import paper_table
from dhns.experiments.reproduction.runner import run_missing
from reproduction.fakes import cell, settings, training

NAMES = ("a", "bb", "ccc", "dddd", "eeeee")


def cells(outputs):
    return [cell(outputs, name, published={"mrr": 20.0}) for name in NAMES]


if __name__ == "__main__":
    outputs = Path(sys.argv[1])
    run_missing(cells(outputs), 2, training)
    write_table(paper_table(settings(outputs), cells(outputs)), outputs / "table2")
