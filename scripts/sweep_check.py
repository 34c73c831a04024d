"""A sweep of twelve runs by two workers, one of which is killed, then the same command again: `make sweep-check`.

Counts from the logs how often each training was started, and compares what was interrupted with runs that were not.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

MODELS, SEEDS = ("transe", "distmult", "complex", "rotate"), ("0", "1", "2")
COMMON = ("experiment=demo", "trainer.max_epochs=10", "trainer.accelerator=cpu", "progress=false")
SWEEP = (
    "--multirun", f"model={','.join(MODELS)}", f"seed={','.join(SEEDS)}", "hydra/launcher=joblib",
    "hydra.launcher.n_jobs=2",
)  # fmt: skip
JOBS = len(MODELS) * len(SEEDS)
DONE_BEFORE = 3
"""Results that there are when a worker is killed."""
STARTED = re.compile(r"training (starts|resumes) in process (\d+):")


class Run(NamedTuple):
    """What a run's folder tells."""

    folder: Path
    processes: tuple[int, ...]
    resumed: int
    result: dict[str, Any] | None


def command(outputs: Path, *overrides: str) -> list[str]:
    return [sys.executable, "-m", "dhns.cli", "train", *overrides, *COMMON, f"paths.outputs={outputs}"]


def runs(outputs: Path) -> list[Run]:
    """All that have begun, by folder."""
    found = []
    for log in sorted(outputs.rglob("train.log")):
        starts = STARTED.findall(log.read_text(encoding="utf-8"))
        file = log.parent / "result.json"
        result = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        processes = tuple(int(process) for _, process in starts)
        found.append(Run(log.parent, processes, sum(how == "resumes" for how, _ in starts), result))
    return found


def kill_a_worker(sweep: subprocess.Popen[bytes], outputs: Path) -> Run:
    """Wait for some results, then kill a worker in the middle of a training: past its first epoch, before its end."""
    while sweep.poll() is None:
        found = runs(outputs)
        if sum(run.result is not None for run in found) >= DONE_BEFORE:
            for run in found:
                if run.result is None and run.processes and (run.folder / "checkpoints" / "last.ckpt").exists():
                    os.kill(run.processes[-1], signal.SIGKILL)
                    return run
        time.sleep(0.02)
    assert sweep.stderr is not None
    raise SystemExit(f"the sweep ended before a worker could be killed:\n{sweep.stderr.read().decode()}")


def alone(run: Run, outputs: Path) -> dict[str, Any]:
    """The result of the same run, never interrupted."""
    assert run.result is not None
    subprocess.run(
        command(outputs, f"model={run.result['system']}", f"seed={run.result['seed']}"),
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (path,) = outputs.rglob(str(Path(run.folder.parent.name, run.folder.name, "result.json")))
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        outputs, others = Path(name, "swept"), Path(name, "alone")
        first = subprocess.Popen(command(outputs, *SWEEP), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        victim = kill_a_worker(first, outputs)
        _, told = first.communicate()
        before = {run.folder: run for run in runs(outputs)}
        done = {folder for folder, run in before.items() if run.result is not None}
        interrupted = {folder for folder, run in before.items() if run.processes and run.result is None}
        print(f"worker killed in {victim.folder.relative_to(outputs)}; the sweep ended with status {first.returncode}:")
        print(told.decode().strip().splitlines()[-1])
        second = subprocess.run(command(outputs, *SWEEP), check=False, stdout=subprocess.PIPE, text=True)
        print(second.stdout[second.stdout.index(f"{JOBS} jobs, ") :])

        after = runs(outputs)
        again = [run.folder for run in after if run.folder in done and len(run.processes) > 1]
        repeated = [run for run in after if run.folder in interrupted]
        differ = [run.folder for run in repeated if alone(run, others)["metrics"] != (run.result or {}).get("metrics")]
        counts = {
            "jobs": JOBS,
            "results when a worker was killed": len(done),
            "trainings interrupted by it": len(interrupted),
            "results after the same command again": sum(run.result is not None for run in after),
            "trainings started": sum(len(run.processes) for run in after),
            "of these, resumed from a checkpoint": sum(run.resumed for run in after),
            "jobs lost": JOBS - sum(run.result is not None for run in after),
            "finished jobs trained again": len(again),
            "interrupted jobs whose metrics differ from those of an uninterrupted run": len(differ),
        }
    for what, count in counts.items():
        print(f"{count:>4}  {what}")
    expected = counts["trainings started"] == JOBS + len(interrupted)
    if second.returncode or counts["jobs lost"] or again or differ or not expected:
        sys.exit("something was lost, or done twice")


if __name__ == "__main__":
    main()
