"""A run that is killed or told to stop, wherever that is, goes on to the numbers of one that was not."""

import random
import signal
import subprocess
import sys
import time

import pytest

from faults.injection import POINTS, At, LargestFile
from faults.program import start
from faults.runs import SYSTEMS, check_restarts, check_same_end, check_whole, command, run

FEW = [("dhns", "file renamed", False)]
OTHERS = ("training step", "validation", "checkpoint", "file renamed", "final ranking")
ALL = [("dhns", point, after) for point in POINTS for after in (False, True)]
ALL += [(system, point, False) for system in SYSTEMS for point in OTHERS if system != "dhns"]
ALL += [("nscaching", "training step", True)]


def cases(few, everything):
    """Some in every test run, all in that of the faults."""
    return [*few, *(_for_many(case) for case in everything if case not in few)]


def _for_many(case):
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.faults)


def seeded(*parts):
    return random.Random("/".join(map(str, parts)))


def some_call(system, point, undisturbed, *parts):
    calls = undisturbed(system)[1][point]
    if not calls:
        pytest.skip(f"{system} has no {point}")
    return seeded(system, point, *parts).randrange(calls)


@pytest.mark.parametrize(("system", "point", "after"), cases(FEW, ALL))
def test_killed_at_a_call(tmp_path, undisturbed, ledger, system, point, after):
    """kill -9 at a random call of training, validation, saving, ranking."""
    call = some_call(system, point, undisturbed, after)
    ledger.injected()
    assert run(tmp_path, system, At(point, call, after=after))[0] == -signal.SIGKILL
    check_whole(tmp_path / "run")
    check_restarts(tmp_path, system, undisturbed(system)[0])
    ledger.survived()


@pytest.mark.faults
@pytest.mark.parametrize("number", range(10))
def test_killed_again_and_again(tmp_path, undisturbed, ledger, number):
    """kill -9 at random times, until the run is through."""
    random = seeded("times", number)
    system = random.choice(list(SYSTEMS))
    end, _ = undisturbed(system)
    kills = 0
    while kills < 8 and not (tmp_path / "run" / "result.json").exists():
        started = start(tmp_path, command(system))
        started.process.join(random.uniform(0.1, 1.5))
        started.process.kill()
        if started.wait() == -signal.SIGKILL:
            ledger.injected()
            kills += 1
        if (tmp_path / "run").exists():
            check_whole(tmp_path / "run")
    check_restarts(tmp_path, system, end)
    ledger.survived(kills)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(8))
def test_killed_while_it_writes(tmp_path, undisturbed, ledger, number):
    """killed by the kernel in the middle of writing a file."""
    random = seeded("write", number)
    system = random.choice(list(SYSTEMS))
    end, _ = undisturbed(system)
    largest = max(path.stat().st_size for path in end.rglob("*") if path.is_file())
    ledger.injected()
    status, printed = run(tmp_path, system, LargestFile(random.randrange(100, largest), deadly=True))
    assert status == -signal.SIGXFSZ, printed
    check_whole(tmp_path / "run")
    check_restarts(tmp_path, system, end)
    ledger.survived()


STOPS = [("dhns", point, name) for point in POINTS for name in ("SIGTERM", "SIGINT")]
STOPS += [(system, "training step", "SIGHUP") for system in SYSTEMS]


@pytest.mark.parametrize(("system", "point", "name"), cases([("dhns", "training step", "SIGTERM")], STOPS))
def test_told_to_stop(tmp_path, undisturbed, ledger, system, point, name):
    """SIGTERM, SIGINT, SIGHUP."""
    number = signal.Signals[name]
    call = some_call(system, point, undisturbed, name)
    ledger.injected()
    status, printed = run(tmp_path, system, At(point, call, number))
    assert status == 128 + number, printed
    assert printed.splitlines()[-1] == f"stopped by {name}; the same command continues where it was"
    assert "Traceback" not in printed
    assert not list((tmp_path / "run").rglob("*.tmp")), "an orderly end clears up behind it"
    check_whole(tmp_path / "run")
    check_restarts(tmp_path, system, undisturbed(system)[0])
    ledger.survived()


@pytest.mark.faults
@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_told_to_stop_by_slurm(tmp_path, undisturbed, ledger, name):
    """signals in a job of Slurm."""
    job = {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "job", "SLURM_NTASKS": "1", "SLURM_LOCALID": "0"}
    job |= {"SLURM_NODEID": "0", "SLURM_PROCID": "0", "SLURM_NODELIST": "localhost"}
    ledger.injected()
    status, printed = run(tmp_path, "dhns", At("training step", 6, signal.Signals[name]), **job)
    assert status in (128 + signal.SIGTERM, -signal.SIGUSR1), printed
    assert not list(tmp_path.rglob("hpc_ckpt*"))
    check_restarts(tmp_path, "dhns", undisturbed("dhns")[0])
    ledger.survived()


def train_together(folder):
    """A training by two processes, which is none of the forked ones: torch starts its own from the beginning."""
    folder.mkdir(exist_ok=True)
    arguments = command("last epoch", "trainer=ddp", "trainer.devices=2", "trainer.max_epochs=60")
    return subprocess.Popen(
        [sys.executable, "-m", "dhns.cli", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.mark.faults
def test_told_to_stop_with_two_processes(tmp_path, ledger):
    """SIGTERM to the first of several processes of a run."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    printed, _ = train_together(whole).communicate(timeout=180)
    assert (whole / "run" / "result.json").exists(), printed
    ledger.injected()
    stopped = train_together(broken)
    while stopped.poll() is None and not (broken / "run" / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.01)
    stopped.terminate()
    printed, _ = stopped.communicate(timeout=60)  # which waits for all that can still print
    assert stopped.returncode == 128 + signal.SIGTERM, printed
    assert "stopped by SIGTERM; the same command continues where it was" in printed
    assert not (broken / "run" / "result.json").exists()
    printed, _ = train_together(broken).communicate(timeout=180)
    check_same_end(broken / "run", whole / "run")
    ledger.survived()


@pytest.mark.faults
@pytest.mark.parametrize("system", ["dhns", "softmax"])
def test_killed_with_two_threads(tmp_path, ledger, system):
    """kill -9 of a run with two threads."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    assert run(whole, system, threads=2)[0] == 0
    ledger.injected()
    assert run(broken, system, At("training step", 9), threads=2)[0] == -signal.SIGKILL
    check_restarts(broken, system, whole / "run", threads=2)
    ledger.survived()


@pytest.mark.faults
def test_moved_between_kill_and_restart(tmp_path, undisturbed, ledger):
    """a run whose folder is moved after a kill."""
    ledger.injected()
    assert run(tmp_path, "impatient", At("training step", 11))[0] == -signal.SIGKILL
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "run").rename(elsewhere / "run")
    check_restarts(elsewhere, "impatient", undisturbed("impatient")[0])
    ledger.survived()
