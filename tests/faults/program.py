"""The program in processes of its own, forked from one that has imported everything, so that one takes a second."""

import contextlib
import multiprocessing
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch

from dhns import cli

IMPORTED_LATE = (
    "hydra._internal.hydra",
    "matplotlib.pyplot",
    "pytorch_lightning.loggers",
    "torch._dynamo",
    "dhns.training.check",
    "dhns.results.plots",
    "dhns.results.tables",
    "dhns.training.experiment",
)
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["faults.program", *IMPORTED_LATE])
PATIENCE_S = 120


@dataclass
class Started:
    """A process that runs the program."""

    process: multiprocessing.Process
    output: Path

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.is_alive()

    def resume(self):
        """Go on after SIGSTOP."""
        os.kill(self.pid, signal.SIGCONT)

    def wait(self, seconds=PATIENCE_S):
        """Its exit status, negative for a signal; it is killed if it takes longer."""
        self.process.join(seconds)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            raise TimeoutError(f"still at work after {seconds} s:\n{self.printed()}")
        return self.process.exitcode

    def printed(self):
        return self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""


def start(folder, arguments, *faults, threads=1, **environment):
    """``dhns`` with arguments in a folder; faults are installed before."""
    output = folder / "printed.txt"
    output.unlink(missing_ok=True)
    process = _FORKS.Process(target=_main, args=(folder, output, arguments, faults, threads, environment))
    process.start()
    return Started(process, output)


def _main(folder, output, arguments, faults, threads, environment):
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, encoding="utf-8") for number in (1, 2))
    os.chdir(folder)
    sys.path.insert(0, str(folder))  # as python -m does
    os.environ.update(environment)
    torch.set_num_threads(threads)
    for fault in faults:
        fault.install()
    sys.argv = ["dhns", *arguments]
    try:
        cli.main()
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(99)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
