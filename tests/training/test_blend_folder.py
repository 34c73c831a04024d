"""The folder of a blend: apart from those of runs, and of nothing but its members."""

import shutil

import pytest

import dhns
from dhns.experiments.blending import blend_runs

FACTS = [(f"e{i}", f"r{i % 2}", f"e{(3 * i + 1) % 7}") for i in range(14)]
QUICK = {"scorer.dim": 4, "trainer.max_epochs": 2, "trainer.check_val_every_n_epoch": 1, "negatives.num_negatives": 2}


def train(folder, **choices):
    graph = dhns.KnowledgeGraph.from_triples(FACTS[:10], FACTS[10:12], FACTS[12:], name="few")
    settings = QUICK | {"trainer.enable_model_summary": False}
    return dhns.train(graph, "rotate", settings=settings, outputs=folder, logger="none", progress=False, **choices)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outputs")
    return [train(folder, seed=seed).folder for seed in (0, 1)]


@pytest.fixture
def runs(trained, tmp_path):
    return [shutil.copytree(run, tmp_path / str(seed)) for seed, run in enumerate(trained)]


def scores(folder):
    return [answer.score for answer in dhns.load(folder).predict(head="e1", relation="r1")]


def test_a_blend_takes_no_run_s_place_and_no_run_a_blend_s(runs, tmp_path):
    blend = dhns.blend(runs, tmp_path / "blend", [1, 1]).folder
    before = {folder: (folder / "result.json").read_bytes() for folder in (runs[0], blend)}
    with pytest.raises(dhns.InputError, match=r"is the folder of a run.*choose another out"):
        blend_runs(runs, runs[0], [1, 1], force=True)
    for force in (False, True):
        with pytest.raises(dhns.InputError, match=r"is the folder of a blend.*choose another run_dir"):
            train(tmp_path, run_dir=str(blend), force=force)
    assert before == {folder: (folder / "result.json").read_bytes() for folder in before}


def test_a_blend_of_a_blend_is_told_of_its_members(runs, tmp_path):
    blend = dhns.blend(runs, tmp_path / "blend", [1, 1]).folder
    with pytest.raises(dhns.InputError, match=r"is a blend.*give its members: .*members/0"):
        dhns.blend([blend, runs[0]], tmp_path / "other", [1, 1])


def test_the_file_that_is_given_is_the_one_that_answers(runs, tmp_path):
    last = [run / "checkpoints" / "last.ckpt" for run in runs]
    blend = dhns.blend(last, tmp_path / "blend", [1, 0]).folder
    assert dhns.load(blend).predict(head="e1", relation="r1")[0].key == dhns.load(last[0]).predict("e1", "r1")[0].key


def test_nothing_stays_of_a_blend_that_is_replaced(runs, tmp_path):
    folder = tmp_path / "blend"
    dhns.blend([*runs, train(tmp_path, seed=2).folder], folder, [1, 2, 3])
    last = [run / "checkpoints" / "last.ckpt" for run in runs]
    blend_runs(last, folder, [1, 2], force=True)
    assert sorted(path.name for path in folder.glob("members/*/*.ckpt")) == ["last.ckpt", "last.ckpt"]
    assert scores(folder) == scores(dhns.blend(last, tmp_path / "anew", [1, 2]).folder)


def test_a_copy_of_a_run_is_no_second_one(runs, tmp_path):
    copy = shutil.copytree(runs[0], tmp_path / "copy")
    with pytest.raises(dhns.InputError, match=r"0 and .*copy hold the same model; blend runs that differ"):
        dhns.blend([*runs, copy], tmp_path / "blend", [1, 1, 1])


def test_a_blend_is_made_again_of_its_own_members(runs, tmp_path):
    folder = dhns.blend(runs, tmp_path / "blend", [1, 2]).folder
    before = scores(folder)
    blend_runs([folder / "members" / str(number) for number in range(2)], folder, [1, 2], force=True)
    assert scores(folder) == before


def test_what_no_blend_is_made_of(runs, tmp_path):
    with pytest.raises(dhns.InputError, match=r"weights\[0\] is 'a'; expected a number"):
        dhns.blend(runs, tmp_path / "other", "ab")
    with pytest.raises(dhns.InputError, match="expected a list of folders"):
        dhns.blend(runs[0], tmp_path / "other")
