"""``python -m benchmarks [WORK ...]``: measure, print a table per work, store it; all works if none is named."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.driver import REPOSITORY, measure
from benchmarks.graphs import Graphs
from benchmarks.machine import all_versions, commit, describe_machine, load_before
from benchmarks.report import headline, record, table
from benchmarks.works import WORKS
from dhns.files import write_json


def main() -> int:
    """Returns the exit status: 1 if a side failed."""
    arguments = _arguments()
    surroundings: dict[str, Any] = {
        "commit": commit(),
        "machine": describe_machine(),
        "versions": all_versions(arguments.peers_python),
    }
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(headline(**surroundings))
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        graphs = Graphs(Path(scratch))
        for name in arguments.works or WORKS:
            work = WORKS[name](graphs)
            repeats, load = arguments.repeats or work.repeats, load_before()
            measured = measure(work, sys.executable, arguments.peers_python, repeats)
            console.print()
            console.print(table(name, work, measured))
            console.print(f"medians of {repeats} in turn; load average before: {load}", style="dim")
            content = record(work, measured, repeats, surroundings | {"load_before": load})
            write_json(arguments.results / surroundings["commit"] / f"{name}.json", content)
            failed = failed or any(found.failure for found in measured)
    return int(failed)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("works", nargs="*", metavar="WORK", help=", ".join(WORKS))
    parser.add_argument("--repeats", type=int, help="measured turns of each side; each work has its own number")
    parser.add_argument("--results", type=Path, default=REPOSITORY / "results" / "bench")
    parser.add_argument("--peers-python", default=str(REPOSITORY / ".venv-bench" / "bin" / "python"))
    arguments = parser.parse_args()
    for name in arguments.works:
        if name not in WORKS:
            parser.error(f"there is no work '{name}'; there are {', '.join(WORKS)}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
