"""What is published, as configured, against real files; and a whole data set fetched."""

import hashlib
import json

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from dhns.config.resolvers import register_resolvers
from dhns.errors import InputError
from dhns.graph.readers import OPENKE_FILES
from dhns.resources import conf_dir, embedded_dir
from dhns.sources.download import by_hand, download
from dhns.sources.origins import Folder, Web
from dhns.sources.source import Source
from sources.server import serving

BENCHMARKS = {"db15k": "DB15K", "mkg_w": "MKG-W", "mkg_y": "MKG-Y"}
OTHERS = {"fb15k_237": ("FB15k-237", set(OPENKE_FILES)), "wn18rr": ("WN18RR", {"train.tsv", "valid.tsv", "test.tsv"})}
CONTENT = {"a.txt": b"first", "b.txt": b"second", "c.pth": b"third"}


def configured(name):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return instantiate(compose("data", overrides=[f"dataset={name}"]).source)


def source(**changes):
    """Three files, the last optional; ``changes`` are keys of all files."""
    files = [
        {
            "name": name,
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "optional": name == "c.pth",
        }
        for name, content in CONTENT.items()
    ]
    return Source("SET", [file | changes for file in files])


@pytest.fixture
def mirror(tmp_path):
    folder = tmp_path / "mirror" / "SET"
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return folder.parent


def texts(outcomes):
    return {outcome.file.name: outcome.text for outcome in outcomes}


@pytest.mark.parametrize(("name", "dataset"), BENCHMARKS.items())
def test_the_benchmarks_are_those_that_are_published(benchmarks, name, dataset):
    statuses = {check.file.name: check.status for check in configured(name).check(benchmarks / dataset)}
    assert {file: statuses[file] for file in OPENKE_FILES} == dict.fromkeys(OPENKE_FILES, "ok")
    assert "differs" not in statuses.values()


@pytest.mark.parametrize(("name", "dataset"), BENCHMARKS.items())
def test_what_the_graph_needs_has_an_address(name, dataset):
    found = configured(name)
    assert found.dataset == dataset
    assert {file.name for file in found.files if not file.optional} == set(OPENKE_FILES)
    assert all(file.url for file in found.files if not file.optional or file.modality)
    assert {file.modality for file in found.files} == {None, "visual", "textual"}


@pytest.mark.parametrize("name", OTHERS)
def test_data_sets_of_other_domains(name, request):
    dataset, needed = OTHERS[name]
    found = configured(name)
    assert found.dataset == dataset
    assert {file.name for file in found.files if not file.optional} == needed
    assert all(file.url for file in found.files)
    benchmarks = request.getfixturevalue("benchmarks")  # skips where they are not there
    statuses = {check.file.name: check.status for check in found.check(benchmarks / dataset)}
    assert {statuses[file] for file in needed} == {"ok"}


def test_the_embedded_files_are_those_that_the_package_ships():
    found = configured("world_flags")
    assert {check.status for check in found.check(embedded_dir())} == {"ok"}
    facts = json.loads((embedded_dir() / "facts.json").read_text(encoding="utf-8"))["sha256"]
    assert {file.name: file.sha256 for file in found.files}.items() <= facts.items()


def test_checks_tell_missing_from_different(mirror):
    (mirror / "SET" / "a.txt").write_bytes(b"FIRST")
    (mirror / "SET" / "b.txt").unlink()
    checks = {check.file.name: check for check in source().check(mirror / "SET")}
    assert {name: check.status for name, check in checks.items()} == {
        "a.txt": "differs",
        "b.txt": "missing",
        "c.pth": "ok",
    }
    assert checks["a.txt"].found == (5, hashlib.sha256(b"FIRST").hexdigest())


def test_all_files_are_fetched_and_then_left_alone(mirror, tmp_path):
    with serving(mirror) as server:
        first = download(source().files, Web("SET", server.url), tmp_path / "data")
        second = download(source().files, Web("SET", server.url), tmp_path / "data")
    assert set(texts(first).values()) == {"fetched and verified"}
    assert set(texts(second).values()) == {"already there"}
    assert len(server.requests) == 3
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == CONTENT
    assert list(by_hand(second, tmp_path / "data")) == []


def test_one_file_that_fails_does_not_stop_the_others(mirror, tmp_path):
    (mirror / "SET" / "a.txt").write_bytes(b"FIRST")
    outcomes = download(source().files, Folder("SET", mirror), tmp_path / "data")
    assert [outcome.present for outcome in outcomes] == [False, True, True]
    lines = "\n".join(by_hand(outcomes, tmp_path / "data"))
    assert hashlib.sha256(b"FIRST").hexdigest() in lines
    assert hashlib.sha256(b"first").hexdigest() in lines
    assert f"to      {tmp_path / 'data' / 'a.txt'}" in lines


def test_a_file_of_other_content_is_not_overwritten(mirror, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "b.txt").write_bytes(b"my own")
    outcome = download(source().files, Folder("SET", mirror), folder)[1]
    assert outcome.failed
    assert "has other content (6 bytes" in outcome.text
    assert (folder / "b.txt").read_bytes() == b"my own"


def test_what_is_published_nowhere_is_left_to_a_person(tmp_path):
    outcomes = download(source(by_hand="ask the authors").files, Web("SET"), tmp_path / "data")
    assert [outcome.failed for outcome in outcomes] == [True, True, False]  # the last is optional
    lines = list(by_hand(outcomes, tmp_path / "data"))
    assert lines.count("    from    ask the authors") == 3
    assert lines[0].startswith("a.txt (needed): not published at an address")


def test_a_folder_that_cannot_be_written_to_is_named(mirror, tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(InputError, match=r"data: File exists"):
        download(source().files, Folder("SET", mirror), tmp_path / "data")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../a.txt"}, "cannot name a file"),
        ({"name": "/etc/passwd"}, "cannot name a file"),
        ({"modality": "../visual"}, "cannot name a file"),
        ({"sha256": "abc"}, "expected 64 hexadecimal digits"),
        ({"url": "file:///etc/passwd"}, "expected an address that starts with https"),
        ({"ulr": "https://example.org"}, "an entry got an unexpected keyword argument 'ulr'"),
    ],
)
def test_bad_entries_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        source(**changes)
