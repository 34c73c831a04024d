"""A trained model goes to others: packed, uploaded, fetched, used; without paths, code, or states of training."""

import json
import shutil

import pytest
import yaml

import dhns
from commands.shell import MODALITIES, SMALL, refused, succeed, write_graph
from dhns.sharing import hub as sharing_hub
from dhns.sharing.pack import pack, without_places
from sharing.hub import serving

QUERY = {"head": "Entity 1", "relation": "next", "k": 12}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with two runs of a graph with features, trained from an absolute path, and their blend."""
    folder = tmp_path_factory.mktemp("shared")
    write_graph(folder / "graph")
    data = ("dataset=tsv", f"dataset.folder={folder / 'graph'}", "dataset.name=mine")
    for seed in (0, 1):
        succeed(folder, "train", "model=adamf", *data, *MODALITIES, *SMALL, f"seed={seed}", f"run_dir=run{seed}")
    succeed(folder, "blend", "members=[run0,run1]", "out=blend", "weights=[0.5,0.5]")
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving() as (address, repositories):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield repositories


def answers(run):
    return dhns.load(run, device="cpu").predict(**QUERY)


@pytest.mark.parametrize("run", ["run0", "blend"])
def test_a_pack_answers_as_the_run_does_wherever_it_lies(place, run, tmp_path):
    pack(place / run, tmp_path / "pack")
    shutil.move(tmp_path / "pack", tmp_path / "elsewhere")
    assert answers(tmp_path / "elsewhere") == answers(place / run)
    before, after = (dhns.load(folder, device="cpu").evaluate() for folder in (place / run, tmp_path / "elsewhere"))
    assert before == after


@pytest.mark.parametrize("run", ["run0", "blend"])
def test_a_pack_tells_nothing_of_this_machine_and_holds_no_pickle(place, run, tmp_path):
    files = pack(place / run, tmp_path / "pack")
    assert {file.suffix for file in files} <= {".md", ".json", ".npz", ".safetensors"}
    for file in files:
        assert str(place).encode() not in file.read_bytes(), file
    assert json.loads((tmp_path / "pack" / "result.json").read_text(encoding="utf-8"))["metrics"]["test"]


def test_a_pack_lacks_the_states_of_training_and_refuses_to_go_on(place, tmp_path):
    pack(place / "run0", tmp_path / "pack")
    weights = tmp_path / "pack" / "checkpoints" / "best.safetensors"
    assert weights.stat().st_size < (place / "run0" / "checkpoints" / "best.ckpt").stat().st_size
    line = refused(place, "train", f"resume={tmp_path / 'pack'}", "trainer.max_epochs=4")
    assert "no last.ckpt lies in" in line


def test_features_stay_at_home_if_asked_and_are_pointed_to(place, tmp_path):
    pack(place / "run0", tmp_path / "pack", with_features=False)
    assert not (tmp_path / "pack" / "features").exists()
    with pytest.raises(dhns.InputError, match=r"features of this run are not there.*dataset\.folder"):
        answers(tmp_path / "pack")
    files = {"textual": "text.npy", "visual": "image.safetensors"}
    model = dhns.load(tmp_path / "pack", "cpu", {"folder": str(place / "graph"), "modalities": files})
    assert model.predict(**QUERY) == answers(place / "run0")
    assert "their files are not included" in (tmp_path / "pack" / "README.md").read_text(encoding="utf-8")


def test_features_that_changed_are_not_shared_with_the_model(place, tmp_path):
    run = shutil.copytree(place / "run0", tmp_path / "run")
    file = run / "features" / "textual.safetensors"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.unlink()  # a hard link to what all runs share
    file.write_bytes(content)
    with pytest.raises(dhns.InputError, match="modality/textual of its graph are not what the model was trained on"):
        pack(run, tmp_path / "pack")
    file.write_bytes(content[:100])
    with pytest.raises(dhns.InputError, match="or remove that file and share the model without features"):
        pack(run, tmp_path / "pack", with_features=False)
    assert not (tmp_path / "pack").exists()
    file.unlink()
    pack(run, tmp_path / "pack", with_features=False)


def test_the_card_has_the_numbers_of_the_result(place, tmp_path):
    pack(place / "run0", tmp_path / "pack", licence="mit", address="hf://me/model")
    text = (tmp_path / "pack" / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    about = yaml.safe_load(front)
    result = json.loads((place / "run0" / "result.json").read_text(encoding="utf-8"))
    measured = {each["type"]: each["value"] for each in about["model-index"][0]["results"][0]["metrics"]}
    assert measured == {name: result["metrics"]["test"][name] for name in measured}
    assert about["license"] == "mit"
    assert f"{100 * result['metrics']['test']['mrr']:.2f}" in body
    assert 'dhns.load("hf://me/model")' in body


def test_by_the_hub_and_back(place, tmp_path, hub):
    printed = succeed(place, "share", "checkpoint=run0", f"out={tmp_path / 'pack'}", "to=me/model", "licence=mit")
    assert "uploaded: hf://me/model" in printed
    hub["me/model"]["evil.py"] = b"raise SystemExit"
    assert answers("hf://me/model") == answers(place / "run0")
    assert answers("hf://me/model@main") == answers(place / "run0")
    assert not list((tmp_path / "cache").rglob("evil.py")), "only what a pack consists of is fetched"
    succeed(tmp_path, "share", "checkpoint=hf://me/model", "out=again")
    assert answers(tmp_path / "again") == answers(place / "run0")
    assert "Entity" in succeed(tmp_path, "predict", "checkpoint=hf://me/model", "head=Entity 1", "relation=next")


def test_an_address_stands_wherever_a_folder_does(place, tmp_path, hub):
    pack(place / "run0", tmp_path / "pack")
    sharing_hub.push(tmp_path / "pack", "me/model")
    assert "report of 1 run" in succeed(tmp_path, "report", "run=hf://me/model")
    both = f"[hf://me/model,{place / 'run1'}]"
    assert "adamf" in succeed(tmp_path, "compare", f"runs={both}", "split=valid")
    succeed(tmp_path, "blend", f"members={both}", "out=blend", "weights=[0.5,0.5]")
    assert answers(tmp_path / "blend") == answers(place / "blend")
    for command in (("report", "run=hf://no"), ("compare", "runs=hf://no"), ("blend", "members=[hf://no]", "out=b")):
        assert "hf://no is no address of a model" in refused(tmp_path, *command)


def test_what_the_hub_does_not_have_is_told_in_one_line(tmp_path, hub):
    assert "hf://me/none: " in refused(tmp_path, "predict", "checkpoint=hf://me/none", "head=a", "relation=b")
    with pytest.raises(dhns.InputError, match="expected hf://USER/NAME"):
        dhns.load("hf://none")
    with pytest.raises(dhns.InputError, match="expected USER/NAME"):
        sharing_hub.push(tmp_path, "none")


def test_weights_that_name_code_are_refused(place, tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    pack(place / "run0", tmp_path / "pack")
    file = tmp_path / "pack" / "checkpoints" / "best.safetensors"
    tensors = load_file(file)
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["dhns"])
    about["hyper_parameters"]["config"]["scorer"]["_target_"] = "os.system"
    save_file(tensors, file, {"dhns": json.dumps(about)})
    with pytest.raises(dhns.InputError, match=r"asks to call 'os\.system', which is not part of dhns: do not trust it"):
        dhns.load(tmp_path / "pack", device="cpu")
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(dhns.InputError, match="no readable checkpoint"):
        dhns.load(tmp_path / "pack", device="cpu")


@pytest.mark.parametrize(
    ("out", "message"),
    [("run0", "the run itself"), ("graph", "holds other files"), ("graph/train.tsv", "which is a file")],
)
def test_nothing_of_ones_own_is_overwritten(place, out, message):
    assert message in refused(place, "share", "checkpoint=run0", f"out={out}")
    assert "holds no result.json" in refused(place, "share", "checkpoint=graph", "out=new")


def test_a_project_with_a_readme_is_no_pack(place, tmp_path):
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "mine.npy").write_bytes(b"x")
    for text in ("# My project\n", "---\nlicense: mit\n---\n", ""):
        (tmp_path / "README.md").write_text(text, encoding="utf-8")
        with pytest.raises(dhns.InputError, match="holds other files"):
            pack(place / "run0", tmp_path)
        assert (tmp_path / "README.md").read_text(encoding="utf-8") == text
    assert (tmp_path / "features" / "mine.npy").read_bytes() == b"x"


def test_a_pack_is_written_again(place, tmp_path):
    pack(place / "blend", tmp_path / "pack")
    pack(place / "run0", tmp_path / "pack", with_features=False)
    names = {path.name for path in (tmp_path / "pack").iterdir()}
    assert names == {"README.md", "checkpoints", "graph.safetensors", "ranks.npz", "result.json"}


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("features/textual.safetensors", "put it back, or share the model without features: with_features=false"),
        ("graph.safetensors", "holds no graph.safetensors"),
        ("checkpoints/best.ckpt", "holds no best.ckpt"),
    ],
)
def test_a_run_that_lost_a_part_leaves_nothing_half_packed(place, tmp_path, file, message):
    shutil.copytree(place / "run0", tmp_path / "run")
    (tmp_path / "run" / file).unlink()
    assert message in refused(tmp_path, "share", "checkpoint=run", "out=pack")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_damaged_ranks_and_stale_probabilities_leave_nothing_half_packed(place, tmp_path):
    shutil.copytree(place / "run0", tmp_path / "run")
    (tmp_path / "run" / "ranks.npz").write_bytes(b"x")
    assert "holds no readable ranks" in refused(tmp_path, "share", "checkpoint=run", "out=pack")
    shutil.copytree(place / "run1", tmp_path / "run", dirs_exist_ok=True)
    dhns.calibrate(tmp_path / "run", device="cpu")
    shutil.copytree(place / "run0", tmp_path / "run", dirs_exist_ok=True)
    assert "was fitted to another checkpoint" in refused(tmp_path, "share", "checkpoint=run", "out=pack")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_another_upload_leaves_no_features_on_the_hub(place, tmp_path, hub):
    pack(place / "run0", tmp_path / "pack")
    sharing_hub.push(tmp_path / "pack", "me/model")
    assert "features/textual.safetensors" in hub["me/model"]
    hub["me/model"]["notes.txt"] = b"of the user"
    pack(place / "run0", tmp_path / "pack", with_features=False)
    sharing_hub.push(tmp_path / "pack", "me/model")
    assert not [name for name in hub["me/model"] if name.startswith("features/")]
    assert "notes.txt" in hub["me/model"]


@pytest.mark.parametrize("run", ["run0", "blend"])
def test_probabilities_go_along(place, run, tmp_path):
    shutil.copytree(place / run, tmp_path / "run")
    dhns.calibrate(tmp_path / "run", device="cpu")
    pack(tmp_path / "run", tmp_path / "pack")
    assert answers(tmp_path / "pack") == answers(tmp_path / "run")
    assert answers(tmp_path / "pack")[0].probability is not None


def test_places_become_names():
    config = {"dataset": {"folder": "/home/me/graph", "modalities": {"t": ["/a/b.npy", "c/d.npy"]}}, "n": 3}
    assert without_places(config) == {"dataset": {"folder": "graph", "modalities": {"t": ["b.npy", "c/d.npy"]}}, "n": 3}
