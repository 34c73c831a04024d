"""Runs the sides of a work in turn, each in a process of its own that stays warm while the others have their turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Side:
    """One way of doing a work.

    Attributes:
        label: for the table.
        target: ``module:function`` that the process calls with its `Turns` and the job.
        job: keyword arguments of it, stored with the result.
        folder: of the data, another keyword argument, which is not stored.
        peer: runs in the environment of the peers.
        environment: variables of the process.
        remark: for the table.
    """

    label: str
    target: str
    job: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    peer: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True)
class Quoted:
    """A figure that was measured elsewhere and is only printed."""

    label: str
    value: float
    source: str


@dataclass(frozen=True)
class Work:
    """What the sides do.

    Attributes:
        title: for the table.
        unit: of the figures. ``s`` shows seconds per amount of work, and ``CPU s`` seconds of the processor, of all
            threads, which other work on the machine disturbs less; any other unit amounts of work per second.
        sides: the ways of doing it.
        data: which graph it is done on.
        baseline: label of the side or quoted figure that the others are compared with; none where they do different
            things.
        repeats: measured turns of each side, after one that warms up.
        quoted: figures to print beside.
    """

    title: str
    unit: str
    sides: Sequence[Side]
    data: str = ""
    baseline: str | None = None
    repeats: int = 3
    quoted: Sequence[Quoted] = ()

    @property
    def in_seconds(self) -> bool:
        """Whether less is faster."""
        return self.unit in ("s", "CPU s")


@dataclass
class Measured:
    """Figures of a side in the unit of its work, one per turn; or why there are none."""

    side: Side
    values: list[float] = field(default_factory=list)
    peak_mib: float = 0.0
    failure: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


class SideFailedError(Exception):
    """The process of a side ended; the message is the last line that it printed."""


class Process:
    """The process of a side. It starts at its first turn, and prepares itself before it begins that turn.

    Args:
        side: what it does.
        python: interpreter to run.
    """

    def __init__(self, side: Side, python: str) -> None:
        self.side, self._python = side, python
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `stop`
        self._process: subprocess.Popen[str] | None = None

    def turn(self) -> dict[str, float]:
        """Let the side work once.

        Raises:
            SideFailedError: the process could not be started, or ended instead of answering.
        """
        lines = "go\n"
        if self._process is None:
            self._process, lines = self._start(), self._job() + lines
        answer = _ask(self._process, lines)
        if not answer:
            self._process.wait()
            raise SideFailedError(self._last_words())
        return dict(json.loads(answer))

    def stop(self) -> None:
        """End the process and free its memory."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _start(self) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                [self._python, "-m", "benchmarks.worker", self.side.target],
                cwd=REPOSITORY,
                env=os.environ | self.side.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
            )
        except FileNotFoundError:
            raise SideFailedError("its environment is not there; make bench sets it up") from None

    def _job(self) -> str:
        folder = {} if self.side.folder is None else {"folder": str(self.side.folder)}
        return json.dumps(self.side.job | folder) + "\n"

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log if line.strip()]
        return lines[-1] if lines else "ended without a word"


def _ask(process: subprocess.Popen[str], lines: str) -> str:
    """The line that answers some lines; empty if the process has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(lines)
        process.stdin.flush()
    except BrokenPipeError:
        return ""
    return process.stdout.readline()


def measure(work: Work, python: str, peers_python: str, repeats: int) -> list[Measured]:
    """All sides of a work: one turn each to warm up, then ``repeats`` rounds in which each side has a turn.

    A side that fails is left out of the following rounds.
    """
    measured = [Measured(side) for side in work.sides]
    with ExitStack() as stack:
        processes = [Process(side, peers_python if side.peer else python) for side in work.sides]
        for process in processes:
            stack.callback(process.stop)
        for number in range(1 + repeats):
            for process, found in zip(processes, measured, strict=True):
                if found.failure:
                    continue
                try:
                    answer = process.turn()
                except SideFailedError as error:
                    found.failure = str(error)
                    continue
                if number:
                    found.values.append(_figure(answer, work))
                found.peak_mib = answer["peak_mib"]
    return measured


def _figure(answer: dict[str, float], work: Work) -> float:
    seconds = answer["processor_seconds" if work.unit == "CPU s" else "seconds"]
    return seconds / answer["amount"] if work.in_seconds else answer["amount"] / seconds
