"""Two machines, in the shape of two processes that find each other over the network interface of this one."""

import os
import signal
import socket
import time

import pytest

from dhns.results.store import FILE_NAME, read_result
from faults.program import start
from faults.runs import COMPUTED, command, weights

pytestmark = pytest.mark.faults

DDP = ("trainer=ddp", "run_dir=../run", "paths.outputs=../outputs")


def by_torchrun(rank, port):
    """What torchrun says to a process of its own on each of two machines."""
    places = {"RANK": rank, "GROUP_RANK": rank, "LOCAL_RANK": 0, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 1}
    return places | {"TORCHELASTIC_RUN_ID": "run", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}


def by_slurm(rank, port):
    """What srun says to a task on each of two machines."""
    places = {"PROCID": rank, "NODEID": rank, "LOCALID": 0, "NTASKS": 2, "NTASKS_PER_NODE": 1, "NNODES": 2}
    job = {"JOB_ID": 1, "JOB_NAME": "train", "NODELIST": "127.0.0.1"}
    return {f"SLURM_{name}": value for name, value in (places | job).items()} | {"MASTER_PORT": port}


def together(folder, *overrides, launcher=by_torchrun):
    """Both processes, started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in (1, 0):
        place = folder / str(rank)
        place.mkdir(exist_ok=True)
        environment = {name: str(value) for name, value in launcher(rank, port).items()}
        two = ("trainer.num_nodes=2", "trainer.devices=1")
        started.append(start(place, command("dhns", *DDP, *two, *overrides), **environment))
    return started[::-1]


def computed(folder):
    result = read_result(folder / "run" / FILE_NAME)
    return {name: result[name] for name in COMPUTED if name != "config"}  # which names devices and machines


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same training by two processes that one has spawned."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "0").mkdir()
    started = start(folder / "0", command("dhns", *DDP, "trainer.devices=2"))
    assert started.wait() == 0, started.printed()
    return folder


@pytest.mark.parametrize("launcher", [by_torchrun, by_slurm])
def test_two_machines_find_what_two_processes_of_one_find(tmp_path, alone, launcher):
    processes = together(tmp_path, launcher=launcher)
    assert [process.wait() for process in processes] == [0, 0], [process.printed() for process in processes]
    expected = computed(alone)
    assert computed(tmp_path) == expected
    assert expected["metrics"]["valid"]["queries"] == 2 * expected["metrics"]["valid"]["head/queries"]
    assert read_result(tmp_path / "run" / FILE_NAME)["devices"] == 2
    last = [weights(folder / "run" / "checkpoints" / "last.ckpt") for folder in (alone, tmp_path)]
    assert all((value == last[1][name]).all() for name, value in last[0].items())
    assert processes[1].printed() == "", "the first process says everything"


@pytest.mark.parametrize("killed", [0, 1], ids=["the first machine", "the second machine"])
def test_a_machine_that_is_lost_ends_all_and_the_same_command_goes_on(tmp_path, alone, ledger, killed):
    """kill -9 of a machine of two."""
    processes = together(tmp_path)
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    while not last.exists() and all(process.alive() for process in processes):
        time.sleep(0.02)
    os.kill(processes[killed].pid, signal.SIGKILL)
    ledger.injected()
    assert processes[1 - killed].wait() == 2
    (line,) = [line for line in processes[1 - killed].printed().splitlines() if line.startswith("error: ")]
    assert "another process of this training has ended; the same command" in line
    assert "Traceback" not in processes[1 - killed].printed()
    assert processes[killed].wait() == -signal.SIGKILL
    again = together(tmp_path)
    assert [process.wait() for process in again] == [0, 0], [process.printed() for process in again]
    assert "training resumes" in again[0].printed()
    assert computed(tmp_path) == computed(alone)
    ledger.survived()


def test_what_the_first_process_refuses_is_told_once_and_ends_all(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "blend.json").write_text("{}")
    processes = together(tmp_path)
    assert [process.wait() for process in processes] == [2, 2]
    assert processes[0].printed().startswith("error: ")
    assert len(processes[0].printed().splitlines()) == 1
    assert processes[1].printed() == ""
