"""Bad input ends the program with one line that names the file and the line, the key, or the id."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from commands.shell import DATA, MODALITIES, TRAIN, program, refused, succeed


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


# --- triples and names ---------------------------------------------------------------------------------------------

TSV = {
    "wrong column count": ("train.tsv", "e1\tnext\te2", "e1\tnext", "train.tsv, line 2: 2 columns, expected 3"),
    "too many columns": ("test.tsv", "e11\tnext\te0", "e11\tnext\te0\t1", "test.tsv, line 1: 4 columns, expected 3"),
    "unknown name": ("valid.tsv", "e10\t", "e77\t", "valid.tsv, line 1: entity 'e77' is not in the file"),
    "duplicate name": ("entities.tsv", "e4\t", "e3\t", "entities.tsv, line 6: key 'e3' already stands on line 5"),
    "no label": ("entities.tsv", "e1\tEntity 1", "e1", "entities.tsv, line 3: 'e1' has no tab"),
    "no key": ("entities.tsv", "e1\tEntity 1", "\tEntity 1", "entities.tsv, line 3: '<TAB>Entity 1' has no key"),
}


@pytest.mark.parametrize(("file", "old", "new", "message"), TSV.values(), ids=TSV)
@pytest.mark.parametrize("command", [("data", "stats", *DATA), TRAIN], ids=["data", "train"])
def test_tsv(place, command, file, old, new, message):
    edit(place / "graph" / file, old, new)
    line = refused(place, *command)
    assert " ".join(message.split()) in line
    assert "graph/" in line


OPENKE = {
    "id out of range": ("train2id.txt", "0 1 0\n", "0 9 0\n", "train2id.txt, line 2: tail id 9 is out of range"),
    "columns": ("valid2id.txt", "1 2 1\n", "1 2\n", "valid2id.txt, line 2: 2 columns, expected 3"),
    "no integer": ("test2id.txt", "2 0 1\n", "2 x 1\n", "test2id.txt, line 2: 'x' is not an integer"),
    "duplicate": ("entity2id.txt", "b 1", "a 1", "entity2id.txt, line 3: entity name 'a' already stands on line 2"),
    "number of rows": ("relation2id.txt", "2\n", "3\n", "relation2id.txt, line 1: says 3 rows, but 2 follow"),
}


@pytest.mark.parametrize(("file", "old", "new", "message"), OPENKE.values(), ids=OPENKE)
def test_openke(tmp_path, file, old, new, message):
    folder = tmp_path / "DB15K"
    folder.mkdir()
    for name, text in {
        "entity2id.txt": "3\na 0\nb 1\nc 2\n",
        "relation2id.txt": "2\nr 0\ns 1\n",
        "train2id.txt": "2\n0 1 0\n1 2 0\n",
        "valid2id.txt": "1\n1 2 1\n",
        "test2id.txt": "1\n2 0 1\n",
    }.items():
        (folder / name).write_text(text)
    command = ("data", "stats", "dataset=db15k", "paths.data=.", "dataset.modalities.textual=null")
    succeed(tmp_path, *command)
    edit(folder / file, old, new)
    assert message in refused(tmp_path, *command)


def test_missing_file(place):
    (place / "graph" / "train.tsv").unlink()
    assert "no train.tsv, train.txt or train.csv" in refused(place, *TRAIN)


@pytest.mark.parametrize("dataset", ["tsv dataset.folder=nowhere", "db15k", "edges dataset.path=nowhere.tsv"])
def test_missing_folder_or_file(tmp_path, dataset):
    line = refused(tmp_path, "data", "stats", *f"dataset={dataset}".split())
    assert "nowhere" in line or "data/DB15K" in line
    assert "no such" in line or "DB15K is not there and was not fetched (download=false)" in line
    assert not list(tmp_path.iterdir())


# --- features ------------------------------------------------------------------------------------------------------

FEATURES = {
    "rows": (np.zeros((5, 4), np.float32), "5 feature rows, but the graph has 12 entities"),
    "shape": (np.zeros(12, np.float32), "features have shape (12,)"),
    "integers": (np.zeros((12, 4), np.int64), "expected floating point"),
    "pickle": (np.array([{}], dtype=object), "cannot be read as tensors"),
}


@pytest.mark.parametrize(("features", "message"), FEATURES.values(), ids=FEATURES)
def test_features(place, features, message):
    np.save(place / "graph" / "text.npy", features)
    line = refused(place, *TRAIN)
    assert "graph/text.npy: " in line
    assert message in line


def test_nan_features(place):
    features = np.load(place / "graph" / "text.npy")
    features[[3, 7], 1] = np.nan
    np.save(place / "graph" / "text.npy", features)
    assert "text.npy: NaN or infinite features for entity ids 3, 7;" in refused(place, *TRAIN)


def test_feature_index_out_of_range(place):
    save_file({"features": torch.ones(1, 5), "index": torch.tensor([12])}, place / "graph" / "image.safetensors")
    assert "image.safetensors: index holds entity id 12; the ids of 12 entities" in refused(place, *TRAIN)


def test_no_such_feature_file(place):
    assert "graph/sound.npy: no such feature file" in refused(place, *TRAIN, "+dataset.modalities.audio=sound.npy")


def test_damaged_feature_file(place):
    path = place / "graph" / "image.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    assert "image.safetensors: cannot be read as tensors" in refused(place, *TRAIN)


# --- settings ------------------------------------------------------------------------------------------------------

SETTINGS = {
    "scorer.dimm=3": "there is no setting 'scorer.dimm'",
    "nonsense=1": "there is no setting 'nonsense'",
    "+scorer.dimm=3": "scorer.dimm is no setting of RotatE; did you mean scorer.dim?",
    "scorer=rotat": "Could not find 'scorer/rotat'",
    "scorer=[": "scorer=[",
    "scorer.dim=many": "scorer.dim is 'many'; expected an integer",
    "scorer._target_=dhns.scorers.nowhere.X": "scorer._target_ is 'dhns.scorers.nowhere.X', which cannot be imported",
    "data.batch_size=0": "batch_size is 0; at least 1",
    "dataset.folder=???": "dataset.folder is not given",
    "encoder.modalities=[smell]": "mine has no modality 'smell' (it has: textual, visual)",
    "trainer.max_epochs=0": "trainer.max_epochs is 0",
    "trainer.check_val_every_n_epoch=5": "trainer.max_epochs is 2, and the first validation comes after epoch 5",
    "trainer.accelerator=abacus": "'abacus'",
    "trainer.devices=2": "trainer.devices asks for 2 devices on 1 machine(s); add trainer=ddp",
    "generator.loss.joint_scoring=sum": "generator.loss.joint_scoring is 'sum'; expected mean_score, fused, separate",
}


@pytest.mark.parametrize(("override", "message"), SETTINGS.items(), ids=SETTINGS)
def test_settings(place, override, message):
    assert message in refused(place, *TRAIN, override)
    assert not list(place.rglob("result.json"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_train_on_a_gpu_that_is_not_there(place):
    assert "gpu" in refused(place, *TRAIN, "trainer.accelerator=gpu").lower()


def test_compare_without_results(tmp_path):
    assert "no result.json lies under nowhere" in refused(tmp_path, "compare", "runs=nowhere")


def test_compare_of_no_split(trained):
    assert "no split 'tset'" in refused(trained[0], "compare", "runs=.", "split=tset")


def test_compare_with_a_damaged_result(place):
    (place / "outputs").mkdir()
    (place / "outputs" / "result.json").write_text('{"version": 1, ')
    assert "outputs/result.json is not a result file" in refused(place, "compare")


def test_evaluate_of_no_split(trained):
    assert "no split is named 'tset'" in refused(trained[0], "evaluate", "checkpoint=run", "split=tset")


# --- devices and checkpoints ---------------------------------------------------------------------------------------

QUERY = ("head=e0", "relation=next")


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the finished run and its graph, to be damaged."""
    return shutil.copytree(trained[0], tmp_path / "copy")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize("device", ["cuda:77", "abacus"])
def test_no_such_device(trained, command, device):
    line = refused(trained[0], command, "checkpoint=run", f"device={device}", *(QUERY if command == "predict" else ()))
    assert f"device '{device}' is not usable here" in line


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_no_checkpoint_is_given(tmp_path, command):
    assert "checkpoint is not given" in refused(tmp_path, command)
    assert "no checkpoint at nowhere" in refused(tmp_path, command, "checkpoint=nowhere")


@pytest.mark.parametrize("size", [0, 100, -200])
def test_truncated_checkpoint(run, size):
    path = run / "run" / "checkpoints" / "best.ckpt"
    path.write_bytes(path.read_bytes()[:size])
    assert "best.ckpt is no readable checkpoint" in refused(run, "evaluate", "checkpoint=run")


class Harm:
    """Unpickling this would run code."""

    def __reduce__(self):
        return print, ("harm",)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(pickle.dumps(Harm())),
        lambda path: torch.save(Harm(), path),
        lambda path: torch.save({"weights": torch.ones(2)}, path),
        lambda path: torch.save(torch.ones(2), path),
        lambda path: path.write_text("hello"),
    ],
    ids=["pickle", "torch pickle", "other keys", "tensor", "text"],
)
def test_something_else_than_a_checkpoint(run, write):
    write(run / "other.ckpt")
    ended = program(run, "evaluate", "checkpoint=other.ckpt")
    assert "harm" not in ended.out
    assert "other.ckpt is no" in refused(run, "evaluate", "checkpoint=other.ckpt")


CHANGES = {
    "an entity more": ("entities.tsv", "e11\t", "e12\tnew\ne11\t", "rows"),
    "order of entities": ("entities.tsv", "e1\tEntity 1\ne2\tEntity 2", "e2\tEntity 2\ne1\tEntity 1", "entities"),
    "a training triple less": ("train.tsv", "e1\tnext\te2\n", "", "train"),
    "a test triple more": ("test.tsv", "e11\tnext\te0\n", "e11\tnext\te0\ne11\tnext\te5\n", "test"),
}


@pytest.mark.parametrize(("file", "old", "new", "part"), CHANGES.values(), ids=CHANGES)
def test_a_graph_that_has_changed(run, file, old, new, part):
    edit(run / "graph" / file, old, new)
    assert part in refused(run, "evaluate", "checkpoint=run", "device=cpu", "dataset.folder=graph")


def test_features_that_have_changed(run):
    path = run / "graph" / "text.npy"
    np.save(path, np.load(path) + 1)
    assert "mine has changed since" in (
        line := refused(run, "evaluate", "checkpoint=run", "device=cpu", "dataset.folder=graph")
    )
    assert "modality/textual" in line


def test_labels_may_change(run):
    edit(run / "graph" / "entities.tsv", "Entity 2", "Second")
    succeed(run, "evaluate", "checkpoint=run", "device=cpu", "dataset.folder=graph")


def test_an_unfinished_run_of_a_graph_that_has_changed(run):
    (run / "run" / "result.json").unlink()
    edit(run / "graph" / "train.tsv", "e1\tnext\te2\n", "")
    assert "run/checkpoints/last.ckpt is of other data: train changed since" in refused(run, *TRAIN, "run_dir=run")
    succeed(run, *TRAIN, "run_dir=run", "force=true")


def test_an_unfinished_run_of_other_settings(run):
    (run / "run" / "result.json").unlink()
    line = refused(run, *TRAIN, "run_dir=run", "optimization.optimizer.lr=0.5")
    assert "run/checkpoints/last.ckpt is of other settings" in line


def test_an_unfinished_run_with_a_damaged_checkpoint(run):
    (run / "run" / "result.json").unlink()
    path = run / "run" / "checkpoints" / "last.ckpt"
    path.write_bytes(path.read_bytes()[:300])
    assert "last.ckpt is no readable checkpoint" in refused(run, *TRAIN, "run_dir=run")


@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_parameters_that_have_diverged(run, command):
    path = run / "run" / "checkpoints" / "best.ckpt"
    content = torch.load(path, weights_only=True)
    content["state_dict"] = {
        name: torch.full_like(t, torch.nan) if t.is_floating_point() else t for name, t in content["state_dict"].items()
    }
    torch.save(content, path)
    line = refused(run, command, "checkpoint=run", "device=cpu", *(QUERY if command == "predict" else ()))
    assert "NaN" in line
    assert "Entity" in line
    assert "diverged" in line


def test_training_that_diverges(place):
    line = refused(place, *TRAIN, "optimization.optimizer.lr=1e30")
    assert "training has diverged: the loss is NaN or infinite in epoch 1, batch 2." in line
    assert "Lower the learning rate" in line
    assert not list(place.rglob("*.ckpt"))
    assert not list(place.rglob("result.json"))


def test_modalities_of_the_shipped_data_can_be_left_out(place):
    succeed(place, "data", "stats", *DATA, *MODALITIES, "dataset.modalities.visual=null")
