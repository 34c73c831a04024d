"""A user's own folder of configurations beside the one that ships."""

import pytest

import dhns
from commands.shell import program, refused, succeed
from dhns.commands.arguments import without_config_dir

CLASS = """
from dhns.scorers.rotate import RotatE


class Mine(RotatE):
    def __init__(self, dim: int, margin: float = 9.0, motto: str = ""):
        super().__init__(dim, margin)
"""


@pytest.fixture
def place(place, monkeypatch):
    """The tiny graph, a package and a folder of configurations, whose name Hydra would read otherwise."""
    (place / "their_scorers.py").write_text(CLASS)
    monkeypatch.syspath_prepend(place)
    own = place / "my conf, (läufe)"
    for group, name, text in (
        ("scorer", "mine", "_target_: their_scorers.Mine\ndim: 4\nmotto: none\n"),
        ("experiment", "tiny", "# @package _global_\ndefaults:\n  - override /scorer: mine\nseed: 3\n"),
        ("dataset", "own", "_target_: dhns.graph.readers.tsv.read_tsv\nname: own\nfolder: graph\nmodalities: {}\n"),
    ):
        (own / group).mkdir(parents=True)
        (own / group / f"{name}.yaml").write_text(text)
    return place


FLAG = ("--config-dir", "my conf, (läufe)")


def test_its_files_are_choices(place):
    assert "scorer: complex, distmult, gc_ote, ikrl, late_fusion, mine, " in succeed(place, "train", *FLAG, "--help")
    printed = succeed(place, "train", *FLAG, "scorer=mine", "scorer.motto=it's, after all", "--cfg", "job", "--resolve")
    assert "_target_: their_scorers.Mine" in printed
    assert "motto: it's, after all" in printed
    printed = succeed(place, "train", "experiment=tiny", "dataset=own", *FLAG, "--cfg", "job")
    assert "seed: 3" in printed
    assert "name: own" in printed


def test_data_commands_have_its_data_sets(place):
    assert "12" in succeed(place, "data", *FLAG, "stats", "dataset=own")


def test_the_runs_of_a_table_know_it(place):
    overrides = 'overrides=["scorer=mine"]'
    asked = ("table=5", "datasets=[world_flags]", "rows=[complex_n3]", overrides, "print_jobs=true")
    printed = succeed(place, "reproduce", *FLAG, *asked)
    assert f"DHNS_CONFIG_DIR='{place / FLAG[1]}' dhns train --multirun" in printed
    assert "scorer=mine" in printed
    assert "Could not find 'scorer/mine'" in refused(place, "reproduce", *asked)


def test_the_environment_gives_it_to_every_command(place):
    printed = program(place, "train", "scorer=mine", "--cfg", "job", DHNS_CONFIG_DIR=FLAG[1])
    assert "their_scorers.Mine" in printed.out


def test_in_python(place, monkeypatch):
    monkeypatch.chdir(place)
    graph = dhns.load_graph("own", config_dir=FLAG[1])
    settings = {"scorer.dim": 4, "trainer.max_epochs": 1, "trainer.accelerator": "cpu", "progress": False}
    run = dhns.train(graph, "rotate", scorer="mine", settings=settings, config_dir=FLAG[1], outputs="outputs")
    model = dhns.load(run.folder, device="cpu", trust=["their_scorers"])
    assert type(model.module.model.scorer).__name__ == "Mine"
    with pytest.raises(dhns.InputError, match="Could not find 'dataset/own'"):
        dhns.load_graph("own")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "--config-dir", "nowhere"), "--config-dir names no folder: {place}/nowhere; "),
        (("predict", "--config-dir=graph/train.tsv"), "--config-dir names no folder: {place}/graph/train.tsv; "),
        (("train", *FLAG, "scorer=min"), "Could not find 'scorer/min'; did you mean mine"),
        (("train", *FLAG, "scorer=mine", "scorer.mottto=x"), "did you mean scorer.motto?"),
        (("train", *FLAG, "scorer=mine", "scorer.motto=3.5", "+scorer.size=2"), "size is no setting of Mine"),
    ],
)
def test_what_is_not_there(place, arguments, message):
    assert message.format(place=place) in refused(place, *arguments)


def test_a_file_that_would_never_be_read(place):
    (place / FLAG[1] / "scorer" / "rotate.yaml").write_text("dim: 3\n")
    line = refused(place, "train", *FLAG)
    assert line.endswith("rotate.yaml has the name of a file of dhns, which is read in its place; rename it")


@pytest.mark.parametrize(
    ("arguments", "rest", "folder"),
    [
        (["--config-dir", "a=b", "seed=1"], ["seed=1"], "a=b"),
        (["seed=1", "-cd", "x"], ["seed=1"], "x"),
        (["--config-dir=x", "--config-dir", "y"], [], "y"),
        (["seed=1", "--config-dir"], ["seed=1", "--config-dir"], None),
        (["head=--config-dir", "k=1"], ["head=--config-dir", "k=1"], None),
    ],
)
def test_where_it_stands_among_arguments(arguments, rest, folder):
    assert without_config_dir(arguments) == (rest, folder)
