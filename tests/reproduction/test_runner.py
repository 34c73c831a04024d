"""What is missing is run, once; what fails stops nothing; what is killed goes on where it was."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dhns.experiments.reproduction.cells import distinct_runs
from dhns.experiments.reproduction.jobs import run_all, train_command
from dhns.experiments.reproduction.runner import run_missing, unfinished
from reproduction.driver import NAMES, cells
from reproduction.fakes import cell, run, starts, store, told, training

TESTS = Path(__file__).resolve().parents[1]
PATIENCE_S = 60


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def printed(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        run_missing(*arguments)
    return out.getvalue().splitlines()


def test_the_command_is_an_ordinary_training(tmp_path):
    overrides = ["experiment=tuned", "dataset=toy", "model=a", "budget=short", "seed=3"]
    assert train_command(run(tmp_path, "a", 3)) == [sys.executable, "-m", "dhns.cli", "train", *overrides]


def test_only_what_is_missing_is_run(tmp_path):
    table = [cell(tmp_path, name, seeds=(0, 1)) for name in ("a", "bb")]
    store(table[0].runs[0], 0.5)
    lines = printed(table, 2, training)
    assert lines[0] == "4 runs, 1 done, 3 to do"
    assert [len(starts(run)) for cell in table for run in cell.runs] == [0, 1, 1, 1]
    assert any(line.startswith("a, Toy, seed 1: MRR 8.00 (") for line in lines)
    assert printed(table, 2, training) == ["4 runs, 4 done, 0 to do"]


def test_a_run_of_two_cells_is_run_once(tmp_path):
    table = [cell(tmp_path, "a"), cell(tmp_path, "a", group="Another")]
    assert printed(table, 2, training)[0] == "1 runs, 0 done, 1 to do"
    assert len(starts(table[0].runs[0])) == 1


def test_all_of_one_seed_come_before_the_next(tmp_path):
    table = [cell(tmp_path, name, seeds=(4, 1)) for name in ("a", "b")]
    assert [(cell.label, run.seed) for cell, run in distinct_runs(table)] == [("a", 4), ("b", 4), ("a", 1), ("b", 1)]


def test_a_failed_run_is_recorded_and_the_others_go_on(tmp_path):
    table = [cell(tmp_path, name) for name in ("a", "b", "c")]
    told(table[0].runs[0], "fail", "error: Toy has no [visual] features\n")
    told(table[1].runs[0], "fail", "Traceback ...\nRuntimeError: out of luck\n")
    lines = printed(table, 1, training)
    assert any("a, Toy, seed 0: failed: Toy has no [visual] features (" in line for line in lines)
    failures = [json.loads(cell.runs[0].failure_file.read_text()) for cell in table[:2]]
    assert failures[0] == {
        "reason": "Toy has no [visual] features",
        "exit_status": 1,
        "log": ["warming up", "error: Toy has no [visual] features"],
    }
    assert failures[1]["reason"] == "RuntimeError: out of luck"
    assert table[2].runs[0].done


def test_a_reason_is_told_once(tmp_path):
    table = [cell(tmp_path, name) for name in ("a", "b", "c")]
    for failing in table:
        told(failing.runs[0], "fail", f"error: {'no features' if failing.label != 'c' else 'another'}\n")
    lines = [line.partition(" (")[0] for line in printed(table, 1, training)]
    assert lines[1:] == [
        "a, Toy, seed 0: failed: no features",
        "b, Toy, seed 0: failed as a, Toy",
        "c, Toy, seed 0: failed: another",
    ]


def test_runs_without_a_result_are_told_by_their_reason(tmp_path):
    failing = [cell(tmp_path, f"f{number}") for number in range(10)]
    for one in failing:
        told(one.runs[0], "failure.json", json.dumps({"reason": "no features"}))
    others = [cell(tmp_path, "a", dataset="Absent"), cell(tmp_path, "new"), cell(tmp_path, "done")]
    store(others[2].runs[0], 0.5)
    told(others[2].runs[0], "failure.json", json.dumps({"reason": "of an earlier attempt"}))
    assert list(unfinished([*failing, *others], [None] * 10 + ["Absent is not there", None, None])) == [
        f"without a result: {'; '.join(f'f{number}, Toy, seed 0' for number in range(8))}; and 2 more",
        "  no features",
        "without a result: a, Absent, seed 0",
        "  Absent is not there",
        "without a result: new, Toy, seed 0",
    ]


def test_a_failed_run_is_tried_again(tmp_path):
    table = [cell(tmp_path, "a")]
    (failing,) = table[0].runs
    told(failing, "fail", "error: the first reason")
    printed(table, 1, training)
    told(failing, "fail", "no word of an error")
    lines = printed(table, 1, training)
    assert lines[0] == "1 runs, 0 done, 1 to do, 1 of them failed before and are tried again"
    assert "failed: no word of an error" in lines[1], "the reason is that of the last attempt"
    (failing.folder / "fail").unlink()
    printed(table, 1, training)
    assert failing.done
    assert not failing.failure_file.exists()
    assert len(starts(failing)) == 3
    assert failing.log_file.read_text().count("warming up") == 2


def test_a_killed_training_says_so(tmp_path):
    (killed,) = cell(tmp_path, "a").runs
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    (ended,) = run_all([killed], 1, lambda _: command)
    assert ended.failure == "killed by signal 9"


def test_an_end_without_a_result_is_a_failure(tmp_path):
    (ended,) = run_all([run(tmp_path, "a")], 1, lambda _: [sys.executable, "-c", ""])
    assert ended.failure == "exit status 0, no output"


def test_so_many_jobs_at_a_time_and_no_more(tmp_path):
    runs = [run(tmp_path, name) for name in "abcd"]
    for waiting in runs[1:]:
        told(waiting, "wait")
    endings = run_all(runs, 2, training)
    assert next(endings).run == runs[0]
    assert [run.log_file.exists() for run in runs] == [True, True, False, False]
    endings.close()


@pytest.mark.parametrize(("jobs", "given", "expected"), [(1, None, 6), (4, None, 1), (9, None, 1), (1, "5", 5)])
def test_jobs_share_the_processors(tmp_path, monkeypatch, jobs, given, expected):
    monkeypatch.setattr("dhns.experiments.reproduction.jobs._processors", lambda: 6)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    report = [sys.executable, "-c", "import os; print(os.environ['OMP_NUM_THREADS'])"]
    (ended,) = run_all([run(tmp_path, "a")], jobs, lambda _: report)
    assert ended.failure == str(expected)


def test_an_iteration_that_ends_early_stops_its_processes(tmp_path):
    runs = [run(tmp_path, "a"), run(tmp_path, "b")]
    told(runs[1], "wait")
    endings = run_all(runs, 2, training)
    assert next(endings).run == runs[0]
    wait_until(lambda: starts(runs[1]))
    endings.close()
    assert not alive(*starts(runs[1]))
    assert not runs[1].failure_file.exists(), "it did not fail, it was stopped"


def driver(outputs):
    command = [sys.executable, "-m", "reproduction.driver", str(outputs)]
    return subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """The table of a driver that nobody kills."""
    outputs = tmp_path_factory.mktemp("straight")
    assert driver(outputs).wait(PATIENCE_S) == 0
    return outputs / "table2"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
def test_a_killed_driver_continues_and_gives_the_same_table(tmp_path, straight, number):
    outputs = tmp_path / "killed"
    runs = dict(zip(NAMES, (cell.runs[0] for cell in cells(outputs)), strict=True))
    for name in NAMES[2:]:
        told(runs[name], "wait")
    first = driver(outputs)
    wait_until(lambda: runs["a"].done and runs["bb"].done and starts(runs["ccc"]) and starts(runs["dddd"]))
    first.send_signal(number)
    assert first.wait(PATIENCE_S) != 0
    orphans = [process for name in NAMES for process in starts(runs[name]) if alive(process)]
    assert len(orphans) == (2 if number == signal.SIGKILL else 0), "only a driver that is shot leaves children"
    assert not (outputs / "table2").exists()

    (outputs / "go").write_text("")
    second = driver(outputs)
    out, err = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, err
    assert out.startswith("5 runs, ")
    # those that a shot driver left behind are waited for, not doubled
    expected = [1, 1, 1, 1, 1] if orphans else [1, 1, 2, 2, 1]
    assert [len(starts(runs[name])) for name in NAMES] == expected
    for file in ("table.md", "table.tex", "table.csv"):
        assert (outputs / "table2" / file).read_text() == (straight / file).read_text()
