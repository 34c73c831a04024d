"""A run is known by what it reads and by what its settings mean, not by how they are spelt."""

import os
import shutil

import numpy as np
import pytest
import torch

from commands.shell import SMALL, program, refused, results, succeed

ROTATE = ("train", "model=rotate", *SMALL, "trainer.max_epochs=1", "dataset=tsv", "dataset.name=mine")
TEXT = "+dataset.modalities.textual=text.npy"


def add_a_triple(folder):
    with (folder / "train.tsv").open("a", encoding="utf-8") as file:
        file.write("e0\tnext\te5\n")


def swap_features(folder):
    np.save(folder / "text.npy", np.load(folder / "text.npy")[::-1])


def rename_an_entity(folder):
    for path in folder.glob("*.tsv"):
        path.write_text(path.read_text(encoding="utf-8").replace("e11\t", "e99\t").replace("\te11\n", "\te99\n"))


@pytest.mark.parametrize("change", [add_a_triple, swap_features, rename_an_entity])
def test_changed_data_are_another_run(place, change):
    command = (*ROTATE, "dataset.folder=graph", TEXT)
    succeed(place, *command)
    change(place / "graph")
    assert "already done" not in succeed(place, *command)
    first, second = results(place).values()
    assert first["config_hash"] != second["config_hash"]
    assert first["fingerprints"] != second["fingerprints"]
    assert "already done" in succeed(place, *command)


def test_changed_data_under_a_chosen_folder_are_refused_by_name(place):
    command = (*ROTATE, "dataset.folder=graph", "run_dir=run")
    succeed(place, *command)
    add_a_triple(place / "graph")
    assert "run/result.json is of other data: train changed since" in refused(place, *command)
    succeed(place, *command, "force=true")


def test_one_folder_of_results_keeps_two_projects_apart(place):
    for project in ("a", "b"):
        (place / project).mkdir()
        shutil.copytree(place / "graph", place / project / "graph")
    add_a_triple(place / "b" / "graph")
    for project in ("a", "b"):
        printed = succeed(place / project, *ROTATE, "dataset.folder=graph", DHNS_OUTPUTS=str(place / "outputs"))
        assert "already done" not in printed
    assert len(results(place / "outputs")) == 2


def test_spellings_of_a_folder_are_one_run(place):
    shutil.copytree(place / "graph", place / "copy")
    spellings = ("graph", "./graph", "graph/", str(place / "graph"), "copy/../graph", "copy")
    succeed(place, *ROTATE, f"dataset.folder={spellings[0]}", TEXT)
    for spelling in spellings[1:]:
        text = f"+dataset.modalities.textual={place / 'graph' / 'text.npy'}"
        assert "already done" in succeed(place, *ROTATE, f"dataset.folder={spelling}", text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("scorer.margin=9", "scorer.margin=9.0"),
        ("optimization.optimizer.lr=1", "optimization.optimizer.lr=1.0"),
        ("loss.temperature=1", "loss.temperature=1.0"),
        ("protocol.carve_fraction=1e-1", "protocol.carve_fraction=0.1"),
    ],
)
def test_spellings_of_a_number_are_one_run(place, first, second):
    command = (*ROTATE, "dataset.folder=graph")
    folders = {
        succeed(place, *command, number, "--cfg", "job", "--resolve", "-p", "run_dir") for number in (first, second)
    }
    assert len(folders) == 1


def test_an_edited_class_from_outside_is_another_run(place, monkeypatch):
    module = place / "outside_scorers.py"
    module.write_text("from dhns.scorers.rotate import RotatE\n\n\nclass Mine(RotatE):\n    pass\n")
    monkeypatch.syspath_prepend(place)
    command = (*ROTATE, "dataset.folder=graph", "scorer._target_=outside_scorers.Mine")
    asked = (*command, "--cfg", "job", "--resolve", "-p", "run_dir")
    before = succeed(place, *asked)
    assert succeed(place, *asked) == before
    module.write_text(module.read_text() + "\n\n# another formula\n")
    os.utime(module, (1, 1))
    assert succeed(place, *asked) != before


def test_what_a_run_goes_on_from_is_part_of_it(place):
    command = (*ROTATE, "dataset.folder=graph")
    succeed(place, *command, "run_dir=one")
    succeed(place, *command, "run_dir=two", "seed=1")
    asked = ("--cfg", "job", "--resolve", "-p", "run_dir")
    folders = {succeed(place, *command, f"init_from={run}", *asked) for run in ("one", "./one", "two", "null")}
    assert len(folders) == 3


def test_editing_data_between_seeds_makes_two_rows(place):
    command = (*ROTATE, "dataset.folder=graph")
    succeed(place, *command, "seed=0")
    add_a_triple(place / "graph")
    succeed(place, *command, "seed=1")
    rows = [line for line in succeed(place, "compare").splitlines() if "rotate" in line]
    assert len(rows) == 2


def test_a_killed_run_of_other_data_is_not_resumed(place):
    command = (*ROTATE, "dataset.folder=graph", "run_dir=run")
    succeed(place, *command)
    (place / "run" / "result.json").unlink()
    add_a_triple(place / "graph")
    ended = program(place, *command)
    assert ended.code == 2
    assert "of other data: train changed since" in ended.err


def test_a_class_from_outside_is_used_after_consent(place, monkeypatch):
    (place / "outside_models.py").write_text(
        "from dhns.scorers.rotate import RotatE\n\n\nclass Mine(RotatE):\n    pass\n"
    )
    monkeypatch.syspath_prepend(place)
    command = (*ROTATE, "dataset.folder=graph", "run_dir=run", "scorer._target_=outside_models.Mine")
    succeed(place, *command)
    for asked in (("evaluate",), ("predict", "head=e1", "relation=next")):
        line = refused(place, *asked, "checkpoint=run", "device=cpu")
        assert "asks to call 'outside_models.Mine'" in line
        assert line.endswith("add trust=[outside_models]")
        succeed(place, *asked, "checkpoint=run", "device=cpu", "trust=[outside_models]")
    (place / "run" / "result.json").unlink()
    succeed(place, *command)


@pytest.mark.parametrize(
    "target", ["os.system", "builtins.eval", "subprocess.Popen", "torch.load", "dhns.cli.sys.exit"]
)
def test_no_consent_covers_what_runs_commands(trained, tmp_path, target):
    content = torch.load(trained[0] / "run" / "checkpoints" / "best.ckpt", weights_only=True)
    content["hyper_parameters"]["config"]["scorer"] = {"_target_": target}
    torch.save(content, tmp_path / "bad.ckpt")
    package = target.partition(".")[0]
    line = refused(tmp_path, "evaluate", "checkpoint=bad.ckpt", f"trust=[{package}]", "device=cpu")
    assert f"asks to call '{target}', which is not part of dhns: do not trust it" in line
