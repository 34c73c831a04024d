"""A process that does one side of a work: ``python -m benchmarks.worker module:function``, the job comes as a line."""

from __future__ import annotations

import pkgutil
import sys

from benchmarks.turns import Turns

if __name__ == "__main__":
    turns = Turns()
    pkgutil.resolve_name(sys.argv[1])(turns, **turns.job)
