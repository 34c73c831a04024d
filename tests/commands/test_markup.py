"""Labels that a terminal library, a formula or a table would read are shown as they are."""

import json

import pytest

from commands.shell import LABELS, SMALL, program, succeed, write_graph

NAMES = {1: "[/x]", 2: "Mercury [planet]", 9: ":smile:", 10: "a|b", 11: "$x_"}
TITLE = "[/x] [y] :a: $x_$ a|b"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A folder with a finished run on a graph whose labels are hard to print."""
    folder = tmp_path_factory.mktemp("markup")
    write_graph(folder / "graph")
    path = folder / "graph" / "entities.tsv"
    text = path.read_text(encoding="utf-8")
    for index, label in NAMES.items():
        text = text.replace(f"e{index}\t{LABELS[index]}\n", f"e{index}\t{label}\n")
    path.write_text(text, encoding="utf-8")
    data = ("dataset=tsv", "dataset.folder=graph", f"dataset.name={TITLE}", "+dataset.modalities.textual=text.npy")
    train = ("train", *data, *SMALL, "model=adamf")
    printed = succeed(folder, *train, "run_dir=runs/whole")
    succeed(folder, *train, "run_dir=runs/less", "missing=random")
    return folder, printed


def test_training_shows_the_name_of_the_data(run):
    assert f"test split of {TITLE}, filtered" in run[1]


def test_answers_have_their_labels(run):
    printed = succeed(run[0], "predict", "checkpoint=runs/whole", "device=cpu", "head=[/x]", "relation=next", "k=20")
    assert "[/x] - next - ?" in printed
    for label in NAMES.values():
        assert f" {label} " in printed


def test_tables_of_results_have_their_names(run):
    assert TITLE in succeed(run[0], "compare", "runs=runs")
    assert TITLE.replace("|", "\\|") in succeed(run[0], "compare", "runs=runs", "markdown=true")


def test_figures_have_their_names(run):
    assert TITLE in succeed(run[0], "curves", "runs=runs")


def test_messages_have_their_names(run):
    ended = program(run[0], "predict", "checkpoint=runs/whole", "device=cpu", "head=[/y] %s {z}", "relation=next")
    assert ended.code == 2
    assert "'[/y] %s {z}'" in ended.err


def test_statistics_and_audits_have_their_names(run):
    data = ("dataset=tsv", "dataset.folder=graph", f"dataset.name={TITLE}")
    assert f"stats of {TITLE}, as_published splits" in succeed(run[0], "data", "stats", *data)
    assert f"audit of {TITLE}, as_published splits" in succeed(run[0], "data", "audit", *data)


def test_results_hold_the_names(run):
    result = json.loads((run[0] / "runs" / "whole" / "result.json").read_text(encoding="utf-8"))
    assert result["dataset"] == TITLE
