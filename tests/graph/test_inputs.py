"""What a data set is read from, by content."""

import re
import shutil
from pathlib import Path

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from commands.shell import write_graph
from dhns.files import known_sha256
from dhns.graph import inputs as module
from dhns.graph.inputs import changed_content, inputs
from dhns.resources import conf_dir, embedded_dir


@pytest.mark.parametrize("path", sorted((conf_dir() / "source").glob("*.yaml")), ids=lambda path: path.stem)
def test_published_digests_are_those_of_the_sources(path):
    source = OmegaConf.load(path)
    expected = {file.name: file.sha256 for file in source.files if "sha256" in file}
    assert module._published(path.stem) == expected
    assert len(expected) >= 5


def test_the_embedded_graph_is_as_published():
    config = OmegaConf.load(conf_dir() / "dataset" / "world_flags.yaml")
    dataset = OmegaConf.to_container(config, resolve=False) | {"folder": str(embedded_dir())}
    assert set(inputs(dataset)) >= {"train", "valid", "test", "entities", "relations", "modality/visual"}
    assert changed_content(dataset) == {}
    assert set(changed_content(dataset | {"name": "mine"})) == set(inputs(dataset))


def test_a_digest_follows_the_content(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text("one")
    first = known_sha256(path)
    path.write_text("two, longer")
    assert re.fullmatch("[0-9a-f]{64}", first)
    assert known_sha256(path) != first
    path.write_text("one")
    assert known_sha256(path) == first


def test_a_reader_from_outside_is_known_by_all_files_that_it_names(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.parquet").write_text("a")
    (tmp_path / "more.csv").write_text("b")
    dataset = {
        "_target_": "other.read",
        "name": "x",
        "folder": str(tmp_path / "folder"),
        "extra": f"{tmp_path}/more.csv",
    }
    assert set(inputs(dataset)) == {"folder/a.parquet", "extra"}


@pytest.mark.parametrize("name", ["tsv", "openke", "edges", "world_flags"])
def test_a_reader_opens_nothing_else(name, tmp_path, monkeypatch):
    """Every file whose content a graph depends on counts; labels and texts may be opened beside them."""
    folder = tmp_path / "graph"
    if name in ("openke", "world_flags"):
        shutil.copytree(embedded_dir(), folder)
    else:
        write_graph(folder)
        (folder / "valid.tsv").rename(folder / "val.txt")
        (folder / "entities.tsv").unlink()
        (folder / "entity2id.txt").write_text("".join(f"e{index} {index}\n" for index in range(12)))
    node = OmegaConf.load(conf_dir() / "dataset" / f"{name}.yaml")
    dataset = OmegaConf.to_container(node, resolve=False) | {"name": "mine", "modalities": {}}
    dataset |= {"path": str(folder / "train.tsv")} if name == "edges" else {"folder": str(folder)}
    known = {path.resolve() for path in inputs(dataset).values()}
    opened = set()
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.add(path.resolve()) or read(path))
    instantiate(dataset)
    assert known <= opened
    assert {path.name for path in opened - known} <= {"entity_labels.tsv", "relation_labels.tsv", "entity2text.txt"}
