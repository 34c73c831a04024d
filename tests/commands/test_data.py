"""``dhns data`` from a shell, and labels that look like paths."""

import hashlib
import shutil

import numpy as np
import pytest
import torch

from commands.shell import ENTITIES, MODALITIES, SMALL, TRAIN, program, refused, succeed
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
    assert all(name.startswith(("out/mine/", "out/.features")) for name in new)
    assert not any("escape" in name or "Entity" in name for name in new)


@pytest.mark.parametrize("name", ["../../escape", "/tmp/escape", "..", "a\\\\b"])
def test_a_data_set_whose_name_is_a_path_is_refused(place, name):
    before = tree(place)
    ended = program(place, "train", "dataset=tsv", "dataset.folder=graph", f"dataset.name='{name}'", *MODALITIES)
    assert ended.code == 2
    assert "cannot name a file or folder" in ended.err
    assert tree(place) == before


# --- one's own graph -----------------------------------------------------------------------------------------------


def lines(printed, start):
    return [line for line in printed.splitlines() if line.startswith(start)]


def test_a_graph_is_called_as_its_folder_or_file_is(place, mirror):
    (place / "graph").rename(place / "My Graph.v2")
    rows = "".join(f"e{i}\tr{j}\te{(i * j + i + 1) % 20}\n" for i in range(20) for j in range(1, 5))
    (place / "list of edges.tsv").write_text(rows)
    assert "stats of My Graph.v2" in succeed(place, "data", "stats", "dataset=tsv", "dataset.folder='My Graph.v2'")
    assert "stats of list of edges" in succeed(
        place, "data", "stats", "dataset=edges", "dataset.path='list of edges.tsv'"
    )
    (mirror / "world_flags").rename(place / "flags")
    assert "stats of flags" in succeed(place, "data", "stats", "dataset=openke", "dataset.folder=flags")
    for dataset, key in (("tsv", "folder"), ("openke", "folder"), ("edges", "path")):
        assert f"dataset.{key} is not given" in refused(place, "data", "stats", f"dataset={dataset}")
    succeed(place, "train", "dataset=tsv", "dataset.folder='My Graph.v2'", *SMALL, "model=transe", "paths.outputs=out")
    assert [path.name for path in (place / "out").iterdir()] == ["My Graph.v2"]


@pytest.mark.parametrize("action", ["stats", "audit"])
def test_what_was_guessed_or_changed_is_told(place, action):
    graph = place / "graph"
    for split in ("train", "test"):
        path = graph / f"{split}.tsv"
        path.write_text("Subject\tPredicate\tObject\n" + path.read_text())
    rows = (graph / "valid.tsv").read_text()
    (graph / "dev.txt").write_text(rows + rows.splitlines()[0])
    (graph / "valid.tsv").unlink()
    printed = succeed(place, "data", action, "dataset=tsv", "dataset.folder=graph", "protocol=clean")
    assert lines(printed, "note: ") == [
        "note: dev.txt was taken for the valid triples",
        "note: train.tsv, test.tsv: the first row, 'Subject Predicate Object', was taken for a header and left out "
        "(dataset.header=false keeps it)",
        "note: 1 of 4 validation rows left out: 1 repeats another row (protocol.validation=published keeps all)",
    ]


def test_ids_written_are_the_ids_read(place):
    mine = ("dataset=tsv", "dataset.folder=graph", "dataset.normalize=false")
    (place / "graph" / "entities.tsv").rename(place / "labels.tsv")
    features = "+dataset.modalities.textual=text.npy"
    assert "text.npy: rows were taken in the order of the sorted names" in succeed(
        place, "data", "stats", *mine, features
    )
    printed = succeed(place, "data", "ids", *mine, "out=graph/entities.tsv")
    assert "graph/entities.tsv: 12 entities in the order of their ids, 0 to 11" in printed
    written = (place / "graph" / "entities.tsv").read_text()
    assert written.splitlines()[:4] == ["key\tlabel", "e0\te0", "e1\te1", "e10\te10"]
    assert "note: " not in succeed(place, "data", "stats", *mine, features)
    assert "graph/entities.tsv is there already" in refused(place, "data", "ids", *mine, "out=graph/entities.tsv")
    assert "say where to write the ids" in refused(place, "data", "ids", *mine)
    assert "cannot be written" in refused(place, "data", "ids", *mine, "out=nowhere/ids.tsv")


def test_ids_of_names_with_tabs_are_refused(tmp_path):
    (tmp_path / "x.csv").write_text('"a\tb",r,c\nc,r,c\n')
    where = ("dataset=edges", "dataset.path=x.csv", "dataset.valid_fraction=0", "dataset.test_fraction=0")
    assert "has a tab or a line end in a name" in refused(tmp_path, "data", "ids", *where, "out=ids.tsv")
    assert not (tmp_path / "ids.tsv").exists()


def test_splits_of_nothing_are_counted(place):
    for split in ("valid", "test"):
        (place / "graph" / f"{split}.tsv").write_text("")
    printed = succeed(place, "data", "stats", "dataset=tsv", "dataset.folder=graph")
    assert "valid triples" in printed
    assert "0 rows, 0 distinct" in succeed(place, "data", "audit", "dataset=tsv", "dataset.folder=graph")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.header=maybe", "dataset.header is 'maybe'; expected auto, true or false"),
        ("dataset.columns=[head,tail]", "dataset.columns is [head,tail]; expected auto, or head, relation and tail"),
        ("dataset.columns=head", "dataset.columns is 'head'; expected a list, auto"),
        ("protocol.in_train_and_test=drop", "protocol.in_train_and_test is 'drop'; expected keep, drop_from_test"),
    ],
)
def test_settings_of_ones_own_graph_are_checked(place, override, message):
    assert message in refused(place, "data", "stats", "dataset=tsv", "dataset.folder=graph", override)
