"""The notebook runs from top to bottom, its shell lines included."""

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest

from commands.shell import succeed

NOTEBOOK = Path(__file__).resolve().parents[1] / "examples" / "notebook" / "own_graph.ipynb"
SHELL = re.compile(r"^!dhns (.+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The names that the cells leave, and what each printed."""
    folder = tmp_path_factory.mktemp("notebook")
    names, printed = {}, []
    with contextlib.chdir(folder):
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] != "code":
                continue
            if line := SHELL.search(source):
                printed.append(succeed(folder, *shlex.split(line[1].format(**names))))
                continue
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                exec(compile(source, NOTEBOOK.name, "exec"), names)
            printed.append(said.getvalue())
    return folder, names, printed


def test_it_runs_and_leaves_what_it_says(ran):
    folder, names, printed = ran
    assert (folder / "my_graph" / "train.tsv").is_file()
    assert (folder / "shared" / "README.md").is_file()
    assert (folder / "report.html").stat().st_size > 10_000
    assert names["run"].metrics["mrr"] > 0.2
    assert any("720 facts" in text for text in printed)


def test_the_newcomer_is_where_her_features_put_her(ran):
    assert ran[1]["newcomer"][0].label == "biology"
