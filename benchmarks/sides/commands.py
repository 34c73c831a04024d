"""The command line, a new process each time."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.turns import Turns


def run(turns: Turns, arguments: list[str], status: int = 0) -> None:
    """``dhns`` with these arguments, from start to end.

    Args:
        turns: of the process.
        arguments: of the command.
        status: with which it has to end.
    """

    def command() -> None:
        found = subprocess.run(
            [sys.executable, "-m", "dhns.cli", *arguments], capture_output=True, text=True, check=False
        )
        if found.returncode != status:
            raise SystemExit(f"dhns {' '.join(arguments)} ended with {found.returncode}: {found.stderr.strip()}")

    turns.repeat(command)
