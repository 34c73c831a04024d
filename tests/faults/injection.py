"""Faults that a process brings upon itself: at the n-th call of a function, or when so much is written."""

import builtins
import errno
import functools
import io
import json
import os
import resource
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from hydra.utils import get_object

POINTS = {
    "data read": "dhns.training.experiment.load_graph",
    "training step": "dhns.training.module.LinkPredictionModule.training_step",
    "backward": "torch.Tensor.backward",
    "optimizer step": "pytorch_lightning.core.optimizer.LightningOptimizer.step",
    "validation": "dhns.training.module.rank_batch",
    "checkpoint": "torch.save",
    "file written": "os.fsync",
    "file renamed": "pathlib.Path.replace",
    "final ranking": "dhns.ranking.evaluation.rank_batch",
    "plot": "dhns.training.experiment.plot_hardness",
    "result": "dhns.training.experiment.write_json",
}
"""What is under way when it happens, and the function that is called then."""


def replace(target, make):
    """Put ``make(original)`` in the place of a function."""
    owner, _, name = target.rpartition(".")
    owner = get_object(owner)
    original = getattr(owner, name)
    setattr(owner, name, functools.wraps(original)(make(original)))


@dataclass(frozen=True)
class Count:
    """No fault: stores how often each point was reached, and how many ``writes`` there were."""

    path: Path

    def install(self):
        counts = dict.fromkeys([*POINTS, "write"], 0)
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT)

        def counting(point, original):
            def counted(*arguments, **options):
                counts[point] += 1
                os.pwrite(file, json.dumps(counts).encode(), 0)  # what grows only never leaves a rest behind
                return original(*arguments, **options)

            return counted

        for point, target in POINTS.items():
            replace(target, functools.partial(counting, point))
        watch_writes(counting("write", lambda file, data: file.write(data)))


@dataclass(frozen=True)
class At:
    """A signal to the process itself, or a full disk, at the ``call``-th call (from 0), before or after it."""

    point: str
    call: int
    fault: signal.Signals | str = signal.SIGKILL
    after: bool = False

    def install(self):
        calls = 0

        def make(original):
            def faulty(*arguments, **options):
                nonlocal calls
                calls += 1
                if calls != self.call + 1:
                    return original(*arguments, **options)
                if not self.after:
                    self.strike()
                value = original(*arguments, **options)
                if self.after:
                    self.strike()
                return value

            return faulty

        replace(POINTS[self.point], make)

    def strike(self):
        if isinstance(self.fault, signal.Signals):
            os.kill(os.getpid(), self.fault)
        else:
            raise OSError(getattr(errno, self.fault), os.strerror(getattr(errno, self.fault)))


@dataclass(frozen=True)
class PoisonedStep:
    """NaN in a parameter after the ``call``-th training step."""

    call: int

    def install(self):
        def make(original):
            def training_step(module, batch, batch_idx):
                value = original(module, batch, batch_idx)
                if module.batches_seen == self.call + 1:
                    with torch.no_grad():
                        next(module.model.parameters()).fill_(torch.nan)
                return value

            return training_step

        replace(POINTS["training step"], make)


def watch_writes(write):
    """Let ``write(file, data)`` do what files that are opened from now on would do to write."""
    original = io.open

    class File(io.FileIO):
        def write(self, data):
            return write(super(), data)

    def opened(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None):
        if not set(mode) & set("wax+"):
            return original(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = File(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    io.open = builtins.open = opened


@dataclass(frozen=True)
class FullDisk:
    """The disk takes so many writes, of the next one only a half, and then nothing more."""

    writes: int

    def install(self):
        done = 0

        def write(file, data):
            nonlocal done
            done += 1
            if done <= self.writes:
                return file.write(data)
            if done == self.writes + 1:
                file.write(memoryview(data)[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        watch_writes(write)


@dataclass(frozen=True)
class LargestFile:
    """No file may grow beyond so many bytes: the write fails or, if ``deadly``, the kernel kills the process in it."""

    size: int
    deadly: bool = False

    def install(self):
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if self.deadly else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.size))


@dataclass(frozen=True)
class Meanwhile:
    """Something else happens on the machine at the ``call``-th call (from 0)."""

    point: str
    call: int
    happens: Callable[..., object]
    arguments: tuple[object, ...] = ()

    def install(self):
        calls = 0

        def make(original):
            def interrupted(*arguments, **options):
                nonlocal calls
                calls += 1
                if calls == self.call + 1:
                    self.happens(*self.arguments)
                return original(*arguments, **options)

            return interrupted

        replace(POINTS[self.point], make)
