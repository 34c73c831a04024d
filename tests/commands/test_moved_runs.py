"""A run's folder is enough to use its model, wherever it and the data are."""

import csv
import json
import shutil

import pytest

from commands.shell import LABELS, MODALITIES, TRAIN, only_result, program, refused, succeed

QUERY = ("head=Entity 1", "relation=next", "k=12")


@pytest.fixture
def elsewhere(trained, tmp_path):
    """The run alone, in another folder: no data, no outputs."""
    shutil.copytree(trained[0] / "run", tmp_path / "moved run")
    return tmp_path


def test_a_moved_run_is_evaluated_and_asked_without_its_data(trained, elsewhere):
    for command, rest in (("evaluate", ()), ("predict", QUERY)):
        before = succeed(trained[0], command, "checkpoint=run", "device=cpu", *rest)
        for place in ("moved run", "moved run/checkpoints/best.ckpt"):
            assert succeed(elsewhere, command, f"checkpoint='{place}'", "device=cpu", *rest) == before


def test_a_checkpoint_alone_needs_to_be_told_where_the_data_are(trained, elsewhere):
    (elsewhere / "moved run" / "checkpoints" / "best.ckpt").rename(elsewhere / "mine.ckpt")
    line = refused(elsewhere, "evaluate", "checkpoint=mine.ckpt", "device=cpu")
    assert "dataset.folder=PATH" in line
    graph = trained[0] / "graph"
    found = succeed(elsewhere, "evaluate", "checkpoint=mine.ckpt", "device=cpu", f"dataset.folder={graph}")
    assert found == succeed(trained[0], "evaluate", "checkpoint=run", "device=cpu")


def test_features_can_be_pointed_to_anew(trained, elsewhere):
    shutil.copytree(trained[0] / "graph", elsewhere / "graph")
    (elsewhere / "graph" / "text.npy").rename(elsewhere / "graph" / "renamed.npy")
    moved = ("dataset.folder=graph", "+dataset.modalities.textual=renamed.npy")
    assert succeed(elsewhere, "evaluate", "checkpoint='moved run'", "device=cpu", *moved) == succeed(
        trained[0], "evaluate", "checkpoint=run", "device=cpu"
    )


def test_the_graph_of_a_run_is_kept_once_for_all_runs(place):
    for seed in (0, 1):
        succeed(place, *TRAIN, f"seed={seed}")
    files = [path for path in place.rglob("textual.safetensors") if "features" in path.parts]
    assert len(files) == 2
    assert files[0].samefile(files[1])


def test_what_travels_can_be_left_behind(place):
    succeed(place, *TRAIN, "run_dir=run", "keep_data=false")
    assert not list(place.rglob("graph.safetensors"))
    assert not list(place.rglob(".features"))
    succeed(place, "evaluate", "checkpoint=run", "device=cpu")


def test_a_damaged_graph_is_named(elsewhere):
    path = elsewhere / "moved run" / "graph.safetensors"
    path.write_bytes(path.read_bytes()[:99])
    assert "graph.safetensors holds no readable graph" in refused(elsewhere, "evaluate", "checkpoint='moved run'")


# --- answers and metrics for other programs -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["json", "csv", "tsv"])
def test_answers_are_written(trained, tmp_path, kind):
    out = tmp_path / f"answers.{kind}"
    succeed(trained[0], "predict", "checkpoint=run", "device=cpu", *QUERY, f"out={out}")
    if kind == "json":
        rows = json.loads(out.read_text(encoding="utf-8"))
    else:
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="," if kind == "csv" else "\t"))
    assert [int(row["rank"]) for row in rows] == list(range(1, 13))
    assert {row["label"] for row in rows} == set(LABELS)
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
    assert [row["key"] for row in rows if row["known"]] == ["e2"]


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_metrics_are_written(trained, tmp_path, kind):
    out = tmp_path / f"metrics.{kind}"
    succeed(trained[0], "evaluate", "checkpoint=run", "device=cpu", f"out={out}")
    if kind == "json":
        found = {row["metric"]: row["value"] for row in json.loads(out.read_text())}
    else:
        with out.open(newline="") as file:
            found = {row["metric"]: float(row["value"]) for row in csv.DictReader(file)}
    assert found == only_result(trained[0])[1]["metrics"]["test"]


@pytest.mark.parametrize("command", [("evaluate",), ("predict", *QUERY)])
def test_a_file_of_no_known_format_is_refused_before_anything_is_loaded(tmp_path, command):
    line = refused(tmp_path, *command, "checkpoint=nowhere", "out=answers.xlsx")
    assert "out=answers.xlsx: the name must end in .json, .csv or .tsv" in line


def test_known_answers_can_be_hidden(trained):
    marked = succeed(trained[0], "predict", "checkpoint=run", "device=cpu", *QUERY)
    hidden = succeed(trained[0], "predict", "checkpoint=run", "device=cpu", *QUERY, "known=hide")
    assert "Entity 2 " in marked
    assert "Entity 2 " not in hidden
    assert hidden.count("\n") == marked.count("\n") - 1
    assert "expected mark or hide" in refused(trained[0], "predict", "checkpoint=run", *QUERY, "known=drop")


def test_triples_of_ones_own_are_ranked(trained, tmp_path):
    test = (trained[0] / "graph" / "test.tsv").read_text(encoding="utf-8")
    (tmp_path / "own.tsv").write_text(test, encoding="utf-8")
    own = succeed(trained[0], "evaluate", "checkpoint=run", "device=cpu", f"triples={tmp_path / 'own.tsv'}")
    split = succeed(trained[0], "evaluate", "checkpoint=run", "device=cpu")
    assert own.splitlines()[1:] == split.splitlines()[1:]
    assert "own.tsv of mine" in own.splitlines()[0]
    (tmp_path / "own.tsv").write_text(test + "e1\tnext\tnobody\n", encoding="utf-8")
    line = refused(trained[0], "evaluate", "checkpoint=run", f"triples={tmp_path / 'own.tsv'}")
    assert "own.tsv, line 4: entity 'nobody' is none of those that the model was trained on" in line


# --- going on ---------------------------------------------------------------------------------------------------------

LONGER = ("trainer.max_epochs=4", "optimization.scheduler=null", "stopping.patience=null")
SHORT = ("optimization.scheduler=null", "stopping.patience=null")


def test_a_finished_run_goes_on_as_the_unbroken_one(place):
    succeed(place, *TRAIN, *SHORT, "run_dir=short")
    succeed(place, *TRAIN, *LONGER, "run_dir=whole")
    printed = succeed(place, *TRAIN, *LONGER, "run_dir=longer", "resume=short")
    assert "training resumes" in printed
    whole, longer = (json.loads((place / run / "result.json").read_text()) for run in ("whole", "longer"))
    assert longer["metrics"] == whole["metrics"]
    assert longer["epochs"] == 4
    assert longer["config_hash"] != whole["config_hash"]
    assert "already done" in succeed(place, *TRAIN, *LONGER, "run_dir=longer", "resume=short")


def test_going_on_is_refused_where_it_would_be_another_run(place):
    succeed(place, *TRAIN, *SHORT, "run_dir=short")
    assert "ask for more" in refused(place, *TRAIN, *SHORT, "run_dir=a", "resume=short")
    assert "other settings" in refused(place, *TRAIN, *LONGER, "run_dir=b", "resume=short", "scorer.margin=2")
    assert "other settings" in refused(place, *TRAIN, *LONGER, "run_dir=c", "resume=short", "seed=1")
    assert "no last.ckpt lies in nowhere" in refused(place, *TRAIN, *LONGER, "run_dir=d", "resume=nowhere")


def test_training_starts_from_the_weights_of_a_run(place):
    succeed(place, *TRAIN, "run_dir=first")
    still = ("optimization.optimizer.lr=1e-30", "generator.optimization.optimizer.lr=1e-30", "trainer.max_epochs=1")
    succeed(place, *TRAIN, *still, "run_dir=second", "init_from=first")
    first, second = (json.loads((place / run / "result.json").read_text()) for run in ("first", "second"))
    assert second["metrics"] == first["metrics"], "such a learning rate leaves the weights as they were"
    assert second["epochs"] == 1


def test_weights_that_do_not_fit_are_refused(place):
    succeed(place, *TRAIN, "run_dir=first")
    line = refused(place, *TRAIN, "run_dir=second", "init_from=first", "scorer.dim=6")
    assert "init_from=first does not fit this model" in line
    assert "no checkpoint at nowhere" in refused(place, *TRAIN, "run_dir=third", "init_from=nowhere")


# --- splits that are not there ----------------------------------------------------------------------------------------


def test_a_graph_without_a_test_split_is_trained(place):
    lines = [path.read_text(encoding="utf-8") for path in sorted((place / "graph").glob("t*.tsv"))]
    (place / "all.tsv").write_text("".join(lines), encoding="utf-8")
    own = (*MODALITIES, "dataset=tsv", "dataset.folder=graph")
    command = [part for part in TRAIN if part not in own]
    command += ["dataset=edges", "dataset.path=all.tsv", "dataset.test_fraction=0", "run_dir=run", "model=rotate"]
    assert "valid split" in succeed(place, *command)
    assert only_result(place)[1]["metrics"].keys() == {"valid"}
    assert "already done" in succeed(place, *command)
    assert "no triples to rank" in refused(place, "evaluate", "checkpoint=run")
    assert program(place, "compare", "runs=run", "split=valid").code == 0
