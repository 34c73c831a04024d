"""``dhns data download | verify | convert`` from a shell, and labels that look like paths."""

import hashlib
import shutil

import numpy as np
import pytest
import torch

from commands.shell import ENTITIES, MODALITIES, TRAIN, program, refused, succeed
from dhns.graph.features import read_modality
from dhns.resources import embedded_dir
from sources.server import serving

HERE = ("dataset=world_flags", "dataset.folder=world_flags")
FILES = ("entity2id.txt", "relation2id.txt", "train2id.txt", "valid2id.txt", "test2id.txt")


@pytest.fixture
def mirror(tmp_path):
    """The embedded data set as a mirror holds it."""
    folder = tmp_path / "mirror" / "world_flags"
    folder.mkdir(parents=True)
    for name in (*FILES, "entity_labels.tsv", "relation_labels.tsv", "textual.safetensors", "visual.safetensors"):
        shutil.copy(embedded_dir() / name, folder)
    return folder.parent


@pytest.mark.parametrize("kind", ["folder", "web", "archive"])
def test_download_from_a_mirror_then_verify(mirror, tmp_path, kind):
    with serving(mirror) as server:
        archive = shutil.make_archive(str(tmp_path / "a file, downloaded"), "zip", mirror)
        place = {"folder": "mirror", "web": server.url, "archive": archive}[kind]
        printed = succeed(tmp_path, "data", "download", *HERE, f"mirror={place}")
    assert printed.count("fetched and verified") == 9
    assert succeed(tmp_path, "data", "verify", *HERE).count(" ok ") == 9
    assert "1,119" in succeed(tmp_path, "data", "stats", *HERE)


def test_verify_ends_with_a_status_when_a_file_differs(mirror, tmp_path):
    shutil.copytree(mirror / "world_flags", tmp_path / "world_flags")
    path = tmp_path / "world_flags" / "train2id.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    ended = program(tmp_path, "data", "verify", *HERE)
    assert ended.code == 2
    assert "differs" in ended.out
    assert "not as published: train2id.txt" in ended.err
    assert refused(tmp_path, "data", "verify", "dataset=mkg_w").endswith("run 'dhns data download'")


def test_when_the_network_refuses_the_list_says_what_to_fetch(tmp_path):
    with serving(tmp_path, status=403) as server:
        ended = program(tmp_path, "data", "download", "dataset=mkg_w", f"mirror={server.url}", DHNS_DATA="data")
    assert ended.code == 2
    assert "10 of 10 files of MKG-W are not there: entity2id.txt," in ended.err
    assert "/benchmarks/MKG-W/train2id.txt" in ended.out
    assert "to      data/MKG-W/MKG-W-visual.pth" in ended.out
    assert "SHA-256 9cf9346fb7bcd1d7027a35a8e8bc637ca42f38b72e48f11495ef8c9c9d880afc" in ended.out
    assert list((tmp_path / "data" / "MKG-W").iterdir()) == []


def test_a_mirror_with_the_triples_alone_is_enough(benchmarks, tmp_path):
    printed = succeed(tmp_path, "data", "download", "dataset=mkg_y", f"mirror={benchmarks}", DHNS_DATA="data")
    assert "MKG-Y-visual.pth (optional)" in printed
    assert "15,000" in succeed(
        tmp_path, "data", "stats", "dataset=mkg_y", "dataset.modalities.textual=null", DHNS_DATA="data"
    )


def test_a_data_set_of_ones_own_has_no_source(place):
    line = refused(place, "data", "verify", "dataset=tsv", "dataset.folder=graph")
    assert "published nowhere that conf/source knows" in line


def test_official_tensors_are_converted(mirror, tmp_path):
    features = torch.ones(1119, 2)
    features[7] = 0
    torch.save(features, mirror / "world_flags" / "flags.pth")
    content = (mirror / "world_flags" / "flags.pth").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    entry = f"{{name: flags.pth, bytes: {len(content)}, sha256: '{digest}', modality: visual}}"
    names = [f"{{name: {name}, bytes: {size}, sha256: '{sha}'}}" for name, size, sha in known(mirror / "world_flags")]
    files = f"source.files=[{','.join([*names, entry])}]"
    printed = succeed(tmp_path, "data", "download", *HERE, "mirror=mirror", files)
    assert "1,118 of 1,119 entities have a row" in printed
    assert not read_modality(tmp_path / "world_flags" / "visual-official.safetensors", 1119).present[7]


def known(folder):
    sha256 = hashlib.sha256
    return [(name, len(c), sha256(c).hexdigest()) for name in FILES for c in [(folder / name).read_bytes()]]


def test_convert_a_pack(place):
    h5py = pytest.importorskip("h5py", reason="needs the extra hdf5")
    with h5py.File(place / "pack.h5", "w") as file:
        for index in range(0, ENTITIES, 2):
            file[f"e{index}"] = np.full((3, 4), index, dtype=np.float32)
    mine = ("dataset=tsv", "dataset.folder=graph", "dataset.name=mine")
    printed = succeed(place, "data", "convert", *mine, "pack=pack.h5", "modality=visual")
    assert "dataset.modalities.visual=visual-mmrns.safetensors" in printed
    modality = read_modality(place / "graph" / "visual-mmrns.safetensors", ENTITIES)
    assert modality.features[:, 0].tolist() == [0, 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0]
    assert "cannot name a file" in refused(place, "data", "convert", *mine, "pack=pack.h5", "modality=../visual")
    assert "dhns data convert dataset=NAME" in refused(place, "data", "convert", *mine)


def tree(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_labels_and_keys_that_look_like_paths_reach_no_path(place):
    odd = ["../../escape", "/etc/escape", "..", "a/../../escape", "C:\\escape", "~/escape"]
    for file in ("train.tsv", "valid.tsv", "test.tsv", "entities.tsv"):
        path = place / "graph" / file
        text = path.read_text(encoding="utf-8")
        for index, name in enumerate(odd):
            text = text.replace(f"e{index}\t", f"{name}\t").replace(f"\te{index}\n", f"\t{name}\n")
        path.write_text(text.replace("next", "../next").replace("Entity 1\n", "../../Entity\n"), encoding="utf-8")
    before = tree(place)
    succeed(place, *TRAIN, "paths.outputs=out", "model=transe")
    new = tree(place) - before
    assert new
    assert all(name.startswith("out/mine/") for name in new)
    assert not any("escape" in name or "Entity" in name for name in new)


@pytest.mark.parametrize("name", ["../../escape", "/tmp/escape", "..", "a\\\\b"])
def test_a_data_set_whose_name_is_a_path_is_refused(place, name):
    before = tree(place)
    ended = program(place, "train", "dataset=tsv", "dataset.folder=graph", f"dataset.name='{name}'", *MODALITIES)
    assert ended.code == 2
    assert "cannot name a file or folder" in ended.err
    assert tree(place) == before
