"""The worker's end of a measurement: a line on standard input is a turn, a line of JSON answers it.

Needs the standard library alone, for it also runs in the environment of the peers.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path


class Turns:
    """Answers the driver's turns. The first line read is the job; what else the process prints goes to its log.

    A turn is timed here, so that waiting for other sides, and the way to the driver, cost nothing.
    """

    def __init__(self) -> None:
        self._answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self.job = json.loads(sys.stdin.readline())
        self._started = self._processor = 0.0

    def begin(self) -> None:
        """Wait for the driver; ends the process when no more turns come."""
        if not sys.stdin.readline():
            sys.exit()
        self._started, self._processor = time.perf_counter(), time.process_time()

    def end(self, amount: float) -> None:
        """Answer: seconds since `begin`, of clock and processor, the work done in them, and the peak memory."""
        seconds, processor = time.perf_counter() - self._started, time.process_time() - self._processor
        answer = {"seconds": seconds, "processor_seconds": processor, "amount": amount, "peak_mib": _peak_mib()}
        print(json.dumps(answer), file=self._answers, flush=True)

    def repeat(self, work: Callable[[], object], amount: float = 1.0) -> None:
        """One call of ``work`` a turn."""
        while True:
            self.begin()
            work()
            self.end(amount)


class TurnsOfSteps:
    """Turns of a training loop, which calls `before_step` before each step.

    A turn runs from the start of a step to the start of another, so that fetching batches, sampling, optimizer steps
    and the ends of epochs are part of it.

    Args:
        turns: of the process.
        steps: per turn.
        amount: of work in these steps.
    """

    def __init__(self, turns: Turns, steps: int, amount: float) -> None:
        self._turns, self._steps, self._amount = turns, steps, amount
        self._begun = 0

    def before_step(self) -> None:
        """Ends the turn if it has had its steps, and waits for the next one."""
        if self._begun % self._steps == 0:
            if self._begun:
                self._turns.end(self._amount)
            self._turns.begin()
        self._begun += 1


def _peak_mib() -> float:
    """Peak resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.is_file():
        # getrusage would count what the driver had when it started this process
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1)) / 1024  # type: ignore[union-attr]
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
