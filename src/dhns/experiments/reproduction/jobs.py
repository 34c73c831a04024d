"""Trainings in processes of their own: started, waited for, stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from filelock import lock_descriptor

from dhns.experiments.reproduction.cells import Run
from dhns.files import write_json

Command = Callable[[Run], Sequence[str]]
POLL_S = 0.1
GRACE_S = 10.0
"""A training that is told to stop ends its batch; one that takes longer is killed."""
TAIL = 20
"""Lines of the log that a failure file quotes."""


def train_command(run: Run) -> list[str]:
    """``dhns train`` with this interpreter."""
    return [sys.executable, "-m", "dhns.cli", "train", *run.overrides]


@dataclass(frozen=True)
class Ended:
    """How a run ended: ``failure`` is None, or the reason in one line; ``seconds`` of this attempt."""

    run: Run
    failure: str | None
    seconds: float


def run_all(runs: Sequence[Run], jobs: int, command: Command = train_command) -> Generator[Ended, None, None]:
    """Run each in a process of its own, ``jobs`` at a time, and say how each ended, in the order in which they end.

    A run that another program has in hand is waited for. Whatever ends the iteration early stops the processes that
    it started; what they have trained is resumed by the next attempt.
    """
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, _processors() // jobs))
    waiting, running = list(runs), list[_Job]()
    try:
        while waiting or running:
            for run in tuple(waiting):
                if run.done:
                    waiting.remove(run)
                    yield Ended(run, None, 0.0)
                elif len(running) < jobs and (job := _Job.start(run, command(run), threads)):
                    waiting.remove(run)
                    running.append(job)
            time.sleep(POLL_S)
            for job in [job for job in running if job.process.poll() is not None]:
                running.remove(job)
                yield job.ended()
    finally:
        _stop([job.process for job in running])


@dataclass
class _Job:
    run: Run
    process: subprocess.Popen[bytes]
    started: float
    log_start: int

    @classmethod
    def start(cls, run: Run, command: Sequence[str], threads: str) -> _Job | None:
        """The started job; None where another program is at work on this run.

        The process holds a lock on its log until it ends, also when it outlives this program.
        """
        run.folder.mkdir(parents=True, exist_ok=True)
        with run.log_file.open("ab") as log:
            if not lock_descriptor(log.fileno(), blocking=False):
                return None
            start = log.tell()
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": threads},
                start_new_session=True,  # an interrupt on the terminal reaches this program alone
            )
        return cls(run, process, time.monotonic(), start)

    def ended(self) -> Ended:
        """How it ended; a failure is kept in a file until the run succeeds."""
        seconds = time.monotonic() - self.started
        if self.run.done:
            self.run.failure_file.unlink(missing_ok=True)
            return Ended(self.run, None, seconds)
        failure = self._failure()
        write_json(self.run.failure_file, failure)
        return Ended(self.run, failure["reason"], seconds)

    def _failure(self) -> dict[str, Any]:
        with self.run.log_file.open("rb") as log:
            log.seek(self.log_start)
            lines = [line.rstrip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        status = self.process.returncode
        errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
        if status < 0:
            reason = f"killed by signal {-status}"
        else:
            reason = (errors or lines or [f"exit status {status}, no output"])[-1]
        return {"reason": reason, "exit_status": status, "log": lines[-TAIL:]}


def _processors() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE_S
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for process in processes:
        process.kill()
        process.wait()
