"""Data that change after a run: the same command trains anew or refuses, and never gives the old numbers."""

import shutil

import pytest
import torch

from commands.shell import only_result, program
from dhns.results.store import FILE_NAME, find_results, read_result
from dhns.results.systems import data_sets
from faults.changes import COMMANDS, EVERY, change, write_all
from faults.injection import At, Meanwhile
from faults.program import start
from faults.runs import check_clear_error, weights
from faults.test_kill import cases

COMPARED = ("fingerprints", "metrics", "baseline", "protocol", "config_hash", "config", "epochs", "batches")


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A working folder with the tiny graph, in which the command of a reader has been run."""
    done = {}

    def get(kind):
        if kind not in done:
            done[kind] = tmp_path_factory.mktemp("finished")
            write_all(done[kind])
            status, printed = asked(done[kind], COMMANDS[kind])
            assert status == 0, printed
        return done[kind]

    return get


def told(folder, *arguments):
    """How the program ended on these arguments, in a process of its own."""
    started = start(folder, arguments)
    return started.wait(), started.printed()


def asked(folder, command):
    """As `told`, in this process unless the command names code of one's own, which one process imports but once."""
    if any("._target_=" in argument for argument in command):
        return told(folder, *command)
    ended = program(folder, *command)
    return ended.code, ended.out + ended.err


def named_run(folder, printed):
    """The folder of the result that a training says it has stored."""
    (line,) = [line for line in printed.splitlines() if line.startswith("result: ")]
    return (folder / line.removeprefix("result: ")).parent


def check_of_the_data_there(folder, command, ended, ledger):
    """The command gave what a training in an empty folder gives, or said in one line why it does not."""
    status, printed = ended
    if status:
        check_clear_error(status, printed)
        ledger.refused()
        return
    found = named_run(folder, printed)
    fresh, printed = asked(folder, (*command, "paths.outputs=fresh", "run_dir=fresh/run"))
    assert fresh == 0, printed
    check_same_run(found, folder / "fresh" / "run")
    ledger.survived()


def check_same_run(found, right):
    """Results and weights in two folders are of one run."""
    results = [read_result(folder / FILE_NAME) for folder in (found, right)]
    for result in results:
        result["protocol"].pop("notes")  # they name files
    different = [key for key in COMPARED if results[0][key] != results[1][key]]
    assert not different, f"{', '.join(different)} are of other data"
    learned, expected = (weights(folder / results[0]["checkpoint"]) for folder in (found, right))
    assert all(torch.equal(learned[key], expected[key]) for key in expected), "weights are of other data"


FEW = [("tsv", "another tail"), ("tsv", "features of others")]


@pytest.mark.parametrize(("kind", "name"), cases(FEW, EVERY))
def test_data_that_change_after_a_run(finished, tmp_path, ledger, kind, name):
    """data that change after a finished run."""
    folder = shutil.copytree(finished(kind), tmp_path / "place")
    change(kind, name, folder / "graph")
    ledger.injected()
    check_of_the_data_there(folder, COMMANDS[kind], asked(folder, COMMANDS[kind]), ledger)


LONGER = (*COMMANDS["tsv"], "trainer.max_epochs=2")
SOME = (
    "another tail", "a line to validation", "a line to test", "no validation", "an entity of another name", "other ids",
    "features of others", "an image less", "the size and the time of before", "packed",
)  # fmt: skip


@pytest.fixture(scope="session")
def killed(tmp_path_factory):
    """A working folder with a run that was killed in its second epoch."""
    folder = tmp_path_factory.mktemp("killed")
    write_all(folder)
    assert start(folder, LONGER, At("training step", 4)).wait() == -9
    return folder


@pytest.mark.parametrize("name", cases(["another tail"], list(SOME)))
def test_data_that_change_after_a_kill(killed, tmp_path, ledger, name):
    """data that change after a kill, in a folder that is named by them."""
    folder = shutil.copytree(killed, tmp_path / "place")
    change("tsv", name, folder / "graph")
    ledger.injected()
    check_of_the_data_there(folder, LONGER, asked(folder, LONGER), ledger)


@pytest.mark.faults
@pytest.mark.parametrize("name", SOME)
def test_data_that_change_under_a_chosen_folder(tmp_path, ledger, name):
    """data that change after a run in a folder that was chosen."""
    command = (*COMMANDS["tsv"], "run_dir=run")
    graph = write_all(tmp_path)
    assert asked(tmp_path, command)[0] == 0
    change("tsv", name, graph)
    ledger.injected()
    check_clear_error(*asked(tmp_path, command), "run/result.json is of other data:", "force=true")
    ledger.refused()


@pytest.mark.parametrize("name", cases(["a line to test"], list(SOME)))
def test_data_that_change_between_seeds(finished, tmp_path, ledger, name):
    """data that change from one seed to the next."""
    folder = shutil.copytree(finished("tsv"), tmp_path / "place")
    change("tsv", name, folder / "graph")
    ledger.injected()
    assert asked(folder, (*COMMANDS["tsv"], "seed=1"))[0] == 0
    found = data_sets(find_results(folder / "outputs"))
    rows = [[result["fingerprints"] for result in system.runs.values()] for data in found for system in data.systems]
    assert sum(map(len, rows)) == 2
    assert all(parts == row[0] for row in rows for parts in row), "one row of two data"
    ledger.survived()


@pytest.mark.faults
@pytest.mark.parametrize("point", ["data read", "training step", "checkpoint", "final ranking", "result"])
@pytest.mark.parametrize("name", ["another tail", "features of others"])
def test_data_that_change_while_a_run_is_at_work(finished, tmp_path, ledger, point, name):
    """data that change while a run is at work."""
    graph, command = write_all(tmp_path), COMMANDS["tsv"]
    ledger.injected()
    started = start(tmp_path, command, Meanwhile(point, 0, change, ("tsv", name, graph)))
    status, printed = started.wait(), started.printed()
    if point == "data read":
        check_clear_error(status, printed, "changed while they were read")
    else:
        assert status == 0, printed
        check_same_run(named_run(tmp_path, printed), only_result(finished("tsv"))[0].parent)
    check_of_the_data_there(tmp_path, command, asked(tmp_path, command), ledger)
