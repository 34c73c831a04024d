"""Folders that move, or of which a part is gone: the same numbers, or one line that says what to give."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from commands.shell import TRAIN, program, succeed, write_graph
from faults.injection import At
from faults.program import start
from faults.runs import check_clear_error, weights
from faults.test_kill import cases
from faults.test_stale import asked

SETTINGS = ("trainer.max_epochs=2", "progress=false")
COMMAND = (*TRAIN, *SETTINGS)
QUERY = ("head=e0", "relation=next", "k=12")
USES = {"evaluate": ("evaluate", "device=cpu"), "predict": ("predict", "device=cpu", *QUERY)}


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """A working folder with a finished run, a second one of another seed, and what the first one says."""
    folder = tmp_path_factory.mktemp("whole")
    write_graph(folder / "graph")
    for seed, run in enumerate(("run", "other")):
        succeed(folder, *COMMAND, f"seed={seed}", f"run_dir={run}")
    return folder, {use: said(folder, use, "run")[0] for use in USES}


def said(folder, use, run, *more):
    """What a command finds with a run, and how it ended."""
    out = folder / "said.json"
    out.unlink(missing_ok=True)
    ended = program(folder, *USES[use], f"checkpoint={run}", *more, f"out={out}")
    return json.loads(out.read_text(encoding="utf-8")) if ended.code == 0 else None, ended


def away(*names):
    def move(folder):
        for name in names:
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return move


def to(*steps):
    """Rename from the first to the second, and so on by pairs."""

    def move(folder):
        for source, target in zip(steps[::2], steps[1::2], strict=True):
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            (folder / source).rename(folder / target)

    return move


def both(*moves):
    return lambda folder: [move(folder) for move in moves]


def linked(folder):
    (folder / "run").rename(folder / "far")
    (folder / "run").symlink_to("far", target_is_directory=True)


def features_of_others(folder):
    path = folder / "run" / "features" / "textual.safetensors"
    rows = load_file(path)["features"].flip(0).contiguous()
    path.unlink()
    save_file({"features": rows}, path)


def cut(name):
    def damage(folder):
        content = (folder / name).read_bytes()
        (folder / name).unlink()
        (folder / name).write_bytes(content[: len(content) // 2])

    return damage


BEST, GRAPH = "run/checkpoints/best.ckpt", "run/graph.safetensors"
MOVES = {
    "renamed": (to("run", "runs/2026/a b [c]"), "runs/2026/a b [c]"),
    "renamed to what a setting looks like": (to("run", "lr=0.1,dim=4"), "lr=0.1,dim=4"),
    "a link": (linked, "run"),
    "its full path": (to("run", "elsewhere/run"), "{folder}/elsewhere/run"),
    "data gone": (away("graph"), "run"),
    "data moved": (to("graph", "elsewhere/graph"), "run"),
    "other data in their place": (both(to("graph", "aside"), lambda folder: write_graph(
        folder / "graph", {"train": [(0, 0, 1)]})), "run"),
    "shared features gone": (away("outputs"), "run"),
    "all but the run gone": (away("outputs", "graph", "other"), "run"),
    "no result": (away("run/result.json", "run/ranks.npz"), "run"),
    "no log and no settings": (away("run/log", "run/.hydra", "run/train.log"), "run"),
    "no last checkpoint": (away("run/checkpoints/last.ckpt"), "run"),
    "no best checkpoint": (away(BEST), "run"),
    "no checkpoint": (away("run/checkpoints"), "run"),
    "checkpoints beside the graph": (to(BEST, "run/best.ckpt"), "run"),
    "no copy of the graph": (away(GRAPH), "run"),
    "neither copy nor data": (away(GRAPH, "graph"), "run"),
    "no copy, and other data": (both(away(GRAPH, "graph"), lambda folder: write_graph(
        folder / "graph", {"train": [(0, 0, 1)]})), "run"),
    "half a copy of the graph": (cut(GRAPH), "run"),
    "no copies of features": (away("run/features"), "run"),
    "no copy of one modality": (away("run/features/visual.safetensors"), "run"),
    "half a copy of features": (cut("run/features/textual.safetensors"), "run"),
    "copies of other features": (features_of_others, "run"),
    "a lone checkpoint": (both(to(BEST, "mine.ckpt"), away("run")), "mine.ckpt"),
    "a lone checkpoint without data": (both(to(BEST, "mine.ckpt"), away("run", "graph")), "mine.ckpt"),
    "a checkpoint in the folder of another run": (
        both(away("other/checkpoints/best.ckpt"), to(BEST, "other/checkpoints/best.ckpt")), "other"),
    "half a checkpoint": (cut(BEST), "run"),
    "a folder of nothing": (away("run"), "run"),
}  # fmt: skip
EVERY = [(name, use) for name in MOVES for use in USES]
FEW = [("all but the run gone", "evaluate"), ("no best checkpoint", "predict")]
ADVICE = ("dataset.folder=PATH", "give ", "train again", "put the file back")


@pytest.mark.parametrize(("name", "use"), cases(FEW, EVERY))
def test_folders_that_move(whole, tmp_path, ledger, name, use):
    """a run whose folder, data or parts are moved or gone, used."""
    before, right = whole
    folder = shutil.copytree(before, tmp_path / "place")
    move, run = MOVES[name]
    move(folder)
    ledger.injected()
    found, ended = said(folder, use, run.format(folder=folder))
    if ended.code == 0:
        assert found == right[use]
        ledger.survived()
        return
    check_clear_error(ended.code, ended.err)
    assert any(words in ended.err for words in ADVICE), ended.err
    ledger.refused()


POINTED = ["neither copy nor data", "half a copy of the graph", "no copies of features", "copies of other features"]


@pytest.mark.faults
@pytest.mark.parametrize("name", [*POINTED, "a lone checkpoint without data"])
def test_data_that_are_pointed_to(whole, tmp_path, ledger, name):
    """a run without its data, told where they lie."""
    before, right = whole
    folder = shutil.copytree(before, tmp_path / "place")
    shutil.copytree(folder / "graph", tmp_path / "data of mine")
    move, run = MOVES[name]
    move(folder)
    ledger.injected()
    for use in USES:
        assert said(folder, use, run, f"dataset.folder={tmp_path / 'data of mine'}")[0] == right[use]
    ledger.survived()


# --- going on --------------------------------------------------------------------------------------------------------

STEPS = {
    "renamed": to("run", "elsewhere/new"),
    "shared features gone": both(away("outputs"), to("run", "elsewhere/new")),
    "data moved": both(to("graph", "elsewhere/graph"), to("run", "elsewhere/new")),
    "no copy of the graph": both(away(GRAPH, "run/features"), to("run", "elsewhere/new")),
    "no log": both(away("run/log", "run/.hydra"), to("run", "elsewhere/new")),
    "no best checkpoint": both(away(BEST), to("run", "elsewhere/new")),
    "no last checkpoint": both(away("run/checkpoints/last.ckpt"), to("run", "elsewhere/new")),
    "half a last checkpoint": both(cut("run/checkpoints/last.ckpt"), to("run", "elsewhere/new")),
    "checkpoints alone": to("run/checkpoints", "elsewhere/new/checkpoints"),
    "data gone": both(away("graph"), to("run", "elsewhere/new")),
}


@pytest.fixture(scope="session")
def stopped(tmp_path_factory):
    """A working folder with a run that was killed in its second epoch."""
    folder = tmp_path_factory.mktemp("stopped")
    write_graph(folder / "graph")
    assert start(folder, (*COMMAND, "run_dir=run"), At("training step", 4)).wait() == -9
    return folder


@pytest.mark.faults
@pytest.mark.parametrize("name", list(STEPS))
def test_killed_runs_that_move(whole, stopped, tmp_path, ledger, name):
    """a killed run whose folder, data or parts are moved or gone, resumed."""
    before, _ = whole
    folder = shutil.copytree(stopped, tmp_path / "place")
    STEPS[name](folder)
    data = "elsewhere/graph" if name == "data moved" else "graph"
    ledger.injected()
    status, printed = asked(folder, (*COMMAND, f"dataset.folder={data}", "run_dir=elsewhere/new"))
    if status:
        check_clear_error(status, printed)
        ledger.refused()
        return
    found, right = (
        weights(place / "checkpoints" / "best.ckpt") for place in (folder / "elsewhere" / "new", before / "run")
    )
    assert all((found[key] == right[key]).all() for key in right)
    ledger.survived()


@pytest.mark.faults
def test_a_copy_that_is_no_longer_kept(whole, tmp_path, ledger):
    """a run without a copy of its data in the folder of one that had one."""
    before, _ = whole
    folder = shutil.copytree(before, tmp_path / "place")
    with (folder / "graph" / "train.tsv").open("a") as file:
        file.write("e0\tnext\te5\n")
    ledger.injected()
    assert asked(folder, (*COMMAND, "run_dir=run", "force=true", "keep_data=false"))[0] == 0
    result = json.loads((folder / "run" / "result.json").read_text(encoding="utf-8"))
    metrics = {row["metric"]: row["value"] for row in said(folder, "evaluate", "run")[0]}
    assert metrics == result["metrics"]["test"]
    ledger.survived()
