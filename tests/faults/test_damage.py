"""Checkpoints, results and features that were damaged, exchanged or forged: one clear error, and nothing is run."""

import copy
import functools
import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from commands.shell import DATA, write_graph
from commands.shell import SMALL as TINY
from dhns.training.checkpoint import read_checkpoint
from faults.injection import At
from faults.program import start
from faults.runs import check_clear_error, check_same_end, run
from faults.test_kill import cases, seeded


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    """The folder above a run that was killed in its third epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    run(folder, "dhns", At("training step", 9))
    return folder


@pytest.fixture
def place(stopped, tmp_path):
    """A copy of the stopped run; its checkpoint is to be damaged."""
    return shutil.copytree(stopped, tmp_path / "place")


def last(place):
    return place / "run" / "checkpoints" / "last.ckpt"


def cut(path, random):
    path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])


def flip(path, random):
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)


def overwrite(path, random):
    content = bytearray(path.read_bytes())
    position = random.randrange(len(content))
    content[position : position + 512] = random.randbytes(len(content[position : position + 512]))
    path.write_bytes(content)


DAMAGES = {"cut": cut, "flip": flip, "overwrite": overwrite}


@pytest.mark.parametrize(("damage", "number"), cases([("flip", 0)], [(name, n) for n in range(8) for name in DAMAGES]))
def test_damaged_checkpoint(place, undisturbed, ledger, damage, number):
    """a checkpoint that is cut short, has a bit flipped, or a part overwritten."""
    DAMAGES[damage](last(place), seeded(damage, number))
    before = last(place).read_bytes()
    ledger.injected()
    status, printed = run(place, "dhns")
    if status == 0:  # between the parts of the file are bytes without a meaning
        check_same_end(place / "run", undisturbed("dhns")[0])
        ledger.survived()
    else:
        check_clear_error(status, printed, "last.ckpt", "force=true")
        assert last(place).read_bytes() == before
        ledger.refused()


class Harm:
    """Unpickling this would leave a file behind."""

    def __reduce__(self):
        return open, ("harm", "w")


def change(content, key, value):
    """A copy with another value under a path of keys."""
    changed = copy.deepcopy(content)
    functools.reduce(dict.__getitem__, key[:-1], changed)[key[-1]] = value
    return changed


FORGERIES = {
    "a pickle": lambda content: pickle.dumps(Harm()),
    "a pickle in the weights": lambda content: change(content, ["state_dict", "harm"], Harm()),
    "a pickle in the settings": lambda content: change(content, ["hyper_parameters", "config", "scorer"], Harm()),
    "a pickle as a whole": lambda content: Harm(),
    "a tensor": lambda content: torch.ones(3),
    "a list": lambda content: [content],
    "weights alone": lambda content: {k: v for k, v in content.items() if k != "optimizer_states"},
    "no loops": lambda content: {k: v for k, v in content.items() if k != "loops"},
    "no weights": lambda content: {k: v for k, v in content.items() if k != "state_dict"},
    "a weight less": lambda content: change(content, ["state_dict"], dict(list(content["state_dict"].items())[1:])),
    "a weight more": lambda content: change(content, ["state_dict", "more"], torch.ones(2)),
    "other shapes": lambda content: change(
        content, ["state_dict"], {k: v[..., :1] for k, v in content["state_dict"].items()}
    ),
    "another seed": lambda content: change(content, ["hyper_parameters", "config", "seed"], 5),
    "other settings": lambda content: change(content, ["hyper_parameters", "config", "scorer", "dim"], 5),
    "another graph": lambda content: change(content, ["fingerprints", "train"], "0" * 64),
    "other features": lambda content: change(content, ["fingerprints", "modality/textual"], "0" * 64),
    "an entity less": lambda content: change(content, ["fingerprints", "entities"], "0" * 64),
    "settings that are none": lambda content: change(content, ["hyper_parameters", "config"], "settings"),
    "settings of another program": lambda content: change(content, ["hyper_parameters"], {"lr": 0.1}),
}


@pytest.mark.parametrize("forgery", cases(["a pickle in the weights"], list(FORGERIES)))
def test_forged_checkpoint(place, ledger, forgery):
    """a checkpoint that is forged, or of another run, graph or program."""
    content = FORGERIES[forgery](read_checkpoint(last(place)))
    last(place).write_bytes(content) if isinstance(content, bytes) else torch.save(content, last(place))
    before = last(place).read_bytes()
    ledger.injected()
    check_clear_error(*run(place, "dhns"), "last.ckpt")
    assert last(place).read_bytes() == before
    assert not list(place.rglob("harm"))
    ledger.refused()


CALLS = {
    "os.system": {"command": "touch harm"},
    "dhns.results.store.os.system": {"command": "touch harm"},
    "dhns.results.store.Path.touch": {"self": "harm"},
    "dhns.results.store.write_text": {"path": "harm", "text": ""},
    "dhns.${oc.env:HARM,results.store.os.system}": {"command": "touch harm"},
    "torch.optim.lr_scheduler.warnings.sys.exit": {},
    "hydra.utils.call": {"config": {}},
    "dhns.cli.main": {},
}


@pytest.mark.parametrize("target", cases(["dhns.results.store.os.system"], list(CALLS)))
def test_calls_in_a_checkpoint(place, ledger, target):
    """settings in a checkpoint that name foreign code to call."""
    node = {"_target_": target, **CALLS[target]}
    torch.save(change(read_checkpoint(last(place)), ["hyper_parameters", "config", "scorer"], node), last(place))
    ledger.injected()
    started = start(place, ("evaluate", "checkpoint=run/checkpoints/last.ckpt", "device=cpu"))
    check_clear_error(started.wait(), started.printed(), "do not trust it")
    assert not list(place.rglob("harm"))
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("number", range(6))
def test_damaged_result(undisturbed, tmp_path, ledger, number):
    """a result file that is cut short or has no right content."""
    folder = shutil.copytree(undisturbed("dhns")[0], tmp_path / "run")
    path = folder / "result.json"
    texts = ["", "null", "[]", "{}", path.read_text()[:100], path.read_text()[:-3]]
    path.write_text(texts[number])
    ledger.injected()
    check_clear_error(*run(tmp_path, "dhns"), "run/result.json", "again")
    ledger.refused()


def edit(path, how):
    """Rewrite a file of tensors."""
    save_file(how(load_file(path)), path)


FEATURES = {
    "cut at the start": lambda path: path.write_bytes(path.read_bytes()[:7]),
    "cut in the header": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "cut in the rows": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(500)),
    "a pickle": lambda path: path.write_bytes(pickle.dumps(Harm())),
    "NaN": lambda path: edit(path, lambda t: t | {"features": t["features"].fill_(torch.nan)}),
    "infinite": lambda path: edit(path, lambda t: t | {"features": t["features"] / 0}),
    "integers": lambda path: edit(path, lambda t: t | {"features": t["features"].int()}),
    "one dimension": lambda path: edit(path, lambda t: t | {"features": t["features"][:, 0].contiguous()}),
    "an entity too many": lambda path: edit(path, lambda t: {"features": torch.ones(13, 2)}),
    "an entity too few": lambda path: edit(path, lambda t: {"features": torch.ones(11, 2)}),
    "ids out of range": lambda path: edit(path, lambda t: t | {"index": t["index"] + 7}),
    "ids twice": lambda path: edit(path, lambda t: t | {"index": t["index"] * 0}),
    "other names": lambda path: edit(path, lambda t: {"rows": t["features"]}),
    "no file": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", cases(["cut in the rows"], list(FEATURES)))
def test_damaged_features(tmp_path, ledger, damage):
    """features that are damaged, or do not fit the graph."""
    graph = write_graph(tmp_path / "graph")
    FEATURES[damage](graph / "image.safetensors")
    ledger.injected()
    started = start(tmp_path, ("train", *DATA, *TINY, "+dataset.modalities.visual=image.safetensors", "run_dir=run"))
    check_clear_error(started.wait(), started.printed(), "image.safetensors")
    assert not (tmp_path / "run" / "checkpoints").exists()
    assert not list(tmp_path.rglob("harm"))
    ledger.refused()


@pytest.mark.faults
@pytest.mark.parametrize("file", ["image.safetensors", "train.tsv", "test.tsv", "entities.tsv"])
def test_data_that_change_under_a_run(tmp_path, ledger, file):
    """data that change between a kill and the restart."""
    graph = write_graph(tmp_path / "graph")
    arguments = ("train", *DATA, *TINY, "+dataset.modalities.visual=image.safetensors", "run_dir=run")
    assert start(tmp_path, arguments, At("training step", 4)).wait() == -9
    if file == "image.safetensors":
        edit(graph / file, lambda t: t | {"features": t["features"] + 1})
    elif file == "entities.tsv":
        (graph / file).write_text((graph / file).read_text() + "e99\tnew\n")
    else:
        (graph / file).write_text((graph / file).read_text() + "e3\tnext\te9\n")
    ledger.injected()
    started = start(tmp_path, arguments)
    check_clear_error(started.wait(), started.printed(), "run/checkpoints/last.ckpt is of other data:")
    ledger.refused()
