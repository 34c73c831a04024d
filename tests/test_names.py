"""Names from files and settings never lead out of the folder that they are put into."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.names import base_name, plain_name
from dhns.resources import conf_dir

PARTS = st.sampled_from(["..", ".", "/", "\\", "~", "\0", "\n", "c:", "a", "é", " "])
NAMES = st.one_of(st.text(st.characters(max_codepoint=0x2FF)), st.lists(PARTS).map("".join))
BASE = Path("/base")


@given(NAMES)
@example("../escape")
@example("x" * 300)
def test_a_plain_name_is_one_part_of_a_path(name):
    try:
        path = BASE / plain_name(name)
    except InputError:
        return
    assert path.resolve().parent == BASE
    assert len(path.name.encode()) <= 255


@pytest.mark.parametrize("name", ["MKG-W", "world_flags", "my graph (2)", "Åland", "a..b", "dhns-full"])
def test_ordinary_names_pass(name):
    assert plain_name(name) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/FB15k-237", "FB15k-237"),
        ("data/FB15k-237/", "FB15k-237"),
        ("./data/../FB15k-237", "FB15k-237"),
        ("/a/my.graph", "my.graph"),
        ("/a/edges.tsv", "edges"),
        ("/a/edges.v2.csv.gz", "edges.v2"),
        ("/a/.hidden", "hidden"),
        ("/a/.tsv", "graph"),
        ("/", "graph"),
    ],
)
def test_data_are_called_as_their_folder_or_file_is(path, name):
    assert base_name(path) == name
    assert plain_name(base_name(path)) == name


@given(NAMES, NAMES)
@example("..", "dhns")
@example("MKG-W", "../../dhns")
def test_a_run_stays_in_the_folder_of_outputs(name, system):
    register_resolvers()
    settings = OmegaConf.load(conf_dir() / "train.yaml")
    written = {"run_dir": settings._get_node("run_dir"), "subdir": settings.hydra.sweep._get_node("subdir")}
    chosen = {"system": system, "ablated": "full", "seed": 0, "dataset": {"name": name}}
    config = OmegaConf.create({"paths": {"outputs": "/base"}, **chosen, **written})
    try:
        folders = Path(config.run_dir), BASE / config.subdir
    except OmegaConfBaseException:  # also what the resolver refuses
        return
    assert folders[0] == folders[1]
    assert folders[0].resolve().relative_to(BASE).parts[0] == name
    assert len(folders[0].resolve().relative_to(BASE).parts) == 3
