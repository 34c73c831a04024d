"""A run's folder belongs to one process at a time, and a device has to be there."""

import signal
import time
from pathlib import Path

import pytest
import torch

from faults.injection import At
from faults.program import start
from faults.runs import check_clear_error, check_restarts, check_same_end, command, run
from faults.test_kill import cases


@pytest.fixture
def at_work(tmp_path):
    """Starts a run and holds it at a point."""
    started = []

    def begin(point):
        started.append(start(tmp_path, command("dhns"), At(point, 3, signal.SIGSTOP)))
        status = Path(f"/proc/{started[0].pid}/stat")
        while status.read_text().rpartition(")")[2].split()[0] != "T":
            assert started[0].alive(), started[0].printed()
            time.sleep(0.02)
        (tmp_path / "printed.txt").rename(tmp_path / "first.txt")
        return started[0]

    yield begin
    started[0].process.kill()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="whether a process is held is read from /proc")
@pytest.mark.parametrize("point", cases(["training step"], ["training step", "checkpoint", "final ranking"]))
def test_a_second_run(tmp_path, undisturbed, ledger, at_work, point):
    """a second run on the folder of one that is at work."""
    first = at_work(point)
    ledger.injected()
    check_clear_error(*run(tmp_path, "dhns"), "another process is training in run")
    first.resume()
    assert first.wait() == 0
    check_same_end(tmp_path / "run", undisturbed("dhns")[0])
    ledger.refused()


@pytest.mark.faults
def test_a_lock_ends_with_its_process(tmp_path, undisturbed, ledger, at_work):
    """kill -9 of a run for whose end another waits."""
    first = at_work("training step")
    assert run(tmp_path, "dhns")[0] == 2
    first.process.kill()
    first.process.join()
    ledger.injected()
    check_restarts(tmp_path, "dhns", undisturbed("dhns")[0])
    ledger.survived()


DEVICES = ["gpu", "cuda", "mps", "tpu", "abacus", "hpu"]


@pytest.mark.parametrize("device", cases(["gpu"], DEVICES))
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_training_on_a_device_that_is_not_there(tmp_path, ledger, device):
    """an accelerator that is not there."""
    ledger.injected()
    check_clear_error(*run(tmp_path, "dhns", overrides=[f"trainer.accelerator={device}"]))
    assert not (tmp_path / "run" / "checkpoints").exists()
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("device", ["cuda:7", "mps", "xpu", "meta", "abacus"])
@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is an accelerator")
def test_ranking_on_a_device_that_is_not_there(undisturbed, ledger, device):
    """a device that is not there."""
    folder, _ = undisturbed("dhns")
    ledger.injected()
    started = start(folder.parent, ("evaluate", "checkpoint=run", f"device={device}"))
    check_clear_error(started.wait(), started.printed(), f"device '{device}' is not usable here")
    ledger.refused()
