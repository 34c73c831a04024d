"""However a program is asked to end, it does so with one line or none, and the status that shells expect."""

import os
import signal
import subprocess
import sys

import pytest

from commands.shell import DATA, SMALL, write_graph

INTERRUPTED = """
import os, signal, sys
import dhns.cli

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Interrupt())
sys.argv = ["dhns", *{arguments!r}]
dhns.cli.main()
"""


def run(*command, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
        [sys.executable, *command], stdout=stdout, stderr=subprocess.PIPE, text=True, env=os.environ | environment
    )


@pytest.mark.parametrize(
    ("arguments", "module", "name"),
    [
        (["train"], "dhns.commands.arguments", "SIGINT"),
        (["train"], "hydra", "SIGTERM"),
        (["compare"], "dhns.results.tables", "SIGHUP"),
        (["predict", "checkpoint=x"], "torch", "SIGINT"),
        (["evaluate", "checkpoint=x"], "numpy", "SIGINT"),
        (["data", "audit"], "dhns.graph.audit", "SIGINT"),
    ],
)
def test_a_request_that_comes_early_is_met_in_one_line(tmp_path, arguments, module, name):
    program = INTERRUPTED.format(module=module, name=name, arguments=arguments)
    ended = run("-c", program)
    assert ended.stderr == f"stopped by {name}\n"
    assert ended.returncode == 128 + getattr(signal, name)
    assert not ended.stdout


HALF_WRITTEN = """
import os, pathlib, signal
from dhns.files import replacing, replacing_folder
from dhns.interruption import ended_by_signals

with ended_by_signals(), replacing(pathlib.Path("file")) as file, replacing_folder(pathlib.Path("folder")) as folder:
    (folder / "part").write_text("x")
    file.write(b"x")
    print(*sorted(os.listdir()))
    os.kill(os.getpid(), signal.{name})
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_what_is_half_written_goes_with_the_program(tmp_path, name):
    ended = run("-c", f"import os; os.chdir({str(tmp_path)!r})\n" + HALF_WRITTEN.format(name=name))
    assert ended.returncode == 128 + getattr(signal, name)
    assert (ended.stderr, list(tmp_path.iterdir())) == (f"stopped by {name}\n", [])


def unread(*command):
    """A program whose output nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return run(*command, stdout=writing)
    finally:
        os.close(writing)


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["train", "--help"], ["train", "--cfg", "job"], ["data", "stats"],
        ["reproduce", "datasets=[world_flags]", "rows=[rotate]", "print_jobs=true"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_output_that_nobody_reads_ends_it_silently(arguments):
    ended = unread("-m", "dhns.cli", *arguments)
    assert ended.stderr == ""
    assert ended.returncode == 128 + signal.SIGPIPE


def test_a_training_that_nobody_reads_ends_silently(tmp_path):
    write_graph(tmp_path / "graph")
    settings = ("train", *DATA, *SMALL, "model=rotate", "hydra/job_logging=none")
    program = (
        f"import os, sys, dhns.cli; os.chdir({str(tmp_path)!r}); sys.argv = ['dhns', *{settings!r}]; dhns.cli.main()"
    )
    ended = unread("-c", program)
    assert ended.stderr == ""
    assert ended.returncode == 128 + signal.SIGPIPE


def test_no_output_at_all_is_no_reason_to_end():
    ended = subprocess.run(
        [sys.executable, "-m", "dhns.cli", "data", "stats"],
        close_fds=True,
        preexec_fn=lambda: (os.close(1), os.close(2)),
    )
    assert ended.returncode == 0


def test_output_in_few_characters():
    ended = run("-m", "dhns.cli", "train", "head=中", PYTHONIOENCODING="ascii")
    assert ended.returncode == 2
    assert "'head'" in ended.stderr
    ended = run("-m", "dhns.cli", "data", "stats", "dataset.name=中", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert "stats of \\u4e2d" in ended.stdout
