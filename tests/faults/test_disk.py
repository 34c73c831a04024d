"""A disk that is full or broken ends a run with one clear error; with room again, the run goes on."""

import os
import signal
import subprocess

import pytest

from faults.injection import At, FullDisk, LargestFile
from faults.runs import check_clear_error, check_restarts, check_same_end, check_whole, run
from faults.test_kill import cases, seeded, some_call

FILLED = [("dhns", number) for number in range(8)] + [("softmax", number) for number in range(4)]
FULL = "No space left on device"


@pytest.mark.parametrize(("system", "number"), cases([("dhns", 0)], FILLED))
def test_full_at_some_write(tmp_path, undisturbed, ledger, system, number):
    """full disk from a random write on, the first of them half done."""
    writes = seeded("full", system, number).randrange(undisturbed(system)[1]["write"])
    ledger.injected()
    status, printed = run(tmp_path, system, FullDisk(writes))
    if status == 0:  # the last write is of the tracker, after the result, and a tracker ends no run
        assert f"is off from here on; the run goes on (OSError: [Errno 28] {FULL})" in printed
        check_same_end(tmp_path / "run", undisturbed(system)[0])
        ledger.survived()
        return
    check_clear_error(status, printed, FULL, "the same command continues")
    if (tmp_path / "run").exists():
        check_whole(tmp_path / "run")
    check_restarts(tmp_path, system, undisturbed(system)[0])
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EIO", "EROFS"])
@pytest.mark.parametrize("point", ["file written", "file renamed"])
def test_error_of_the_disk(tmp_path, undisturbed, ledger, point, name):
    """error of the disk when a file is synchronised or renamed."""
    call = some_call("dhns", point, undisturbed, name)
    ledger.injected()
    check_clear_error(*run(tmp_path, "dhns", At(point, call, name)), "cannot be written")
    assert not list((tmp_path / "run").rglob("*.tmp"))
    check_whole(tmp_path / "run")
    check_restarts(tmp_path, "dhns", undisturbed("dhns")[0])
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("number", range(4))
def test_files_that_may_not_grow(tmp_path, undisturbed, ledger, number):
    """limit on the size of files."""
    end, _ = undisturbed("dhns")
    smallest = min(path.stat().st_size for path in end.rglob("*.ckpt"))
    limit = seeded("limit", number).randrange(5000, smallest)
    ledger.injected()
    check_clear_error(*run(tmp_path, "dhns", LargestFile(limit)), "File too large")
    check_whole(tmp_path / "run")
    check_restarts(tmp_path, "dhns", end)
    ledger.refused()


@pytest.fixture
def small_disk(tmp_path):
    """Mounts a file system of some kilobytes in memory; gives the function that changes its size."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kilobytes, *options):
        flags = ",".join([*options, f"size={kilobytes}k"])
        return subprocess.run(["mount", "-t", "tmpfs", "-o", flags, "none", folder], capture_output=True).returncode

    if os.geteuid() or mount(64):
        pytest.skip("only root may mount a small disk")
    yield folder, lambda kilobytes: mount(kilobytes, "remount")
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.faults
@pytest.mark.parametrize("number", range(5))
def test_disk_that_is_full(small_disk, undisturbed, ledger, number):
    """a small disk that runs full, made larger."""
    folder, resize = small_disk
    end, _ = undisturbed("dhns")
    needed = sum(path.stat().st_size for path in end.rglob("*") if path.is_file()) // 1024
    resize(seeded("disk", number).randrange(8, needed))
    ledger.injected()
    check_clear_error(*run(folder, "dhns"), FULL)
    if (folder / "run").exists():
        check_whole(folder / "run")
    resize(64 * 1024)
    check_restarts(folder, "dhns", end)
    ledger.refused()


@pytest.mark.faults
def test_nothing_is_left_of_a_killed_write(tmp_path, undisturbed, ledger):
    """kill -9 between writing a file and renaming it."""
    ledger.injected()
    # the third checkpoint: two feature files and the graph are written before
    assert run(tmp_path, "dhns", At("file written", 5, after=True))[0] == -signal.SIGKILL
    (left,) = (tmp_path / "run").rglob("*.tmp")
    assert ".ckpt." in left.name
    check_restarts(tmp_path, "dhns", undisturbed("dhns")[0])
    assert not left.exists()
    ledger.survived()
