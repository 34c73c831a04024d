"""A data set that is not there is fetched, once, or the message says how to get it."""

import errno
import fcntl
import hashlib
import os
import stat
import threading
import time

import pytest
import torch
from omegaconf import OmegaConf

from dhns.graph.features import read_modality
from dhns.sources.obtain import NotThere, fetch, other_ways, published, require_dataset
from dhns.sources.origins import unreachable
from dhns.sources.source import Source
from sources.server import serving

ENTITIES = 3
GRAPH = {
    "entity2id.txt": "3\na 0\nb 1\nc 2\n",
    "relation2id.txt": "1\nr 0\n",
    "train2id.txt": "2\n0 1 0\n1 2 0\n",
    "valid2id.txt": "1\n0 2 0\n",
    "test2id.txt": "1\n2 0 0\n",
}
TENSOR = "SET-visual.pth"
OFFICIAL = "visual-official.safetensors"
PUBLISHED = "https://publisher.example/files/SET/"


@pytest.fixture
def mirror(tmp_path):
    """What is published of SET: a graph, labels, and a tensor of features."""
    folder = tmp_path / "mirror" / "SET"
    folder.mkdir(parents=True)
    for name, text in GRAPH.items():
        (folder / name).write_text(text)
    (folder / "entity_labels.tsv").write_text("id\tlabel\n0\tA\n1\tB\n2\tC\n")
    torch.save(torch.tensor([[1.0, 2.0], [0.0, 0.0], [3.0, 4.0]]), folder / TENSOR)
    return folder.parent


@pytest.fixture
def source(mirror):
    files = [
        {
            "name": path.name,
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "url": PUBLISHED + path.name,
            "optional": path.name not in GRAPH,
            "modality": "visual" if path.name == TENSOR else None,
        }
        for path in sorted((mirror / "SET").iterdir())
    ]
    return Source("SET", files)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data" / "SET"


@pytest.fixture
def connecting(monkeypatch):
    """Puts a function in the place of making a connection; returns the list of addresses that it is called with."""
    unreachable.cache_clear()

    def instead(connect):
        asked = []

        def recorded(address, timeout):
            asked.append(address)
            return connect(address, timeout)

        monkeypatch.setattr("socket.create_connection", recorded)
        return asked

    yield instead
    unreachable.cache_clear()


def dataset(folder):
    return OmegaConf.create({"_target_": "dhns.graph.readers.read_openke", "name": "SET", "folder": str(folder)})


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_a_data_set_is_fetched_without_its_large_features(mirror, source, folder, capsys):
    require_dataset(source, dataset(folder), str(mirror))
    assert names(folder) == {*GRAPH, "entity_labels.tsv"}
    assert "SET: fetching 6 files, 0.0 MB, into " in capsys.readouterr().out


def test_official_features_come_on_request_and_are_converted(mirror, source, folder):
    require_dataset(source, dataset(folder), str(mirror), official=True)
    assert read_modality(folder / OFFICIAL, ENTITIES).present.tolist() == [True, False, True]


def test_features_that_cannot_be_had_are_told_and_left_to_what_reads_them(mirror, source, folder, capsys):
    (mirror / "SET" / TENSOR).unlink()
    require_dataset(source, dataset(folder), str(mirror), official=True)
    assert names(folder) == {*GRAPH, "entity_labels.tsv"}
    assert f"{TENSOR}: neither " in capsys.readouterr().out


def test_what_is_there_is_left_alone_and_nothing_is_asked(mirror, source, folder, capsys):
    require_dataset(source, dataset(folder), str(mirror))
    capsys.readouterr()
    with serving(mirror) as server:
        require_dataset(source, dataset(folder), server.url, official=True)
    assert (server.requests, capsys.readouterr().out) == ([], "")


def test_without_a_network_one_message_says_what_to_do_and_one_connection_is_tried(source, folder, connecting):
    def refuse(address, timeout):
        raise OSError(errno.ENETUNREACH, "Network is unreachable")

    asked = connecting(refuse)
    for _ in range(2):
        with pytest.raises(NotThere) as raised:
            require_dataset(source, dataset(folder), official=True)
    assert asked == [("publisher.example", 443)]
    assert str(raised.value) == (
        "SET is not there and was not fetched (publisher.example cannot be reached: Network is unreachable). Put "
        f"{', '.join(sorted(GRAPH))} (0.0 MB) from {PUBLISHED} into {folder}"
    )


def test_a_network_that_swallows_requests_is_not_waited_for(source, folder, connecting):
    released = threading.Event()

    def swallow(address, timeout):
        released.wait(30)
        raise TimeoutError("timed out")

    connecting(swallow)
    started = time.perf_counter()
    with pytest.raises(
        NotThere, match=r"publisher\.example did not answer within 1 s; dhns data download waits longer"
    ):
        require_dataset(source, dataset(folder))
    assert time.perf_counter() - started < 5
    released.set()


def test_behind_a_proxy_the_proxy_is_asked(monkeypatch, connecting):
    asked = connecting(lambda address, timeout: pytest.fail("asked"))
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert unreachable("https://publisher.example") is None
    assert asked == []


@pytest.mark.parametrize("server", ["http://publisher.example:port", f"http://{'x' * 64}.example"])
def test_an_address_that_is_none_cannot_be_reached(server):
    assert "cannot be reached" in unreachable(server)


def test_nothing_is_fetched_where_that_is_not_wanted(mirror, source, folder):
    with pytest.raises(NotThere, match=r"not fetched \(download=false\). Put entity2id.txt, .* into .*SET"):
        require_dataset(source, dataset(folder), str(mirror), may_fetch=False)
    assert not folder.exists()


def test_a_mirror_without_the_files_is_named(source, folder, tmp_path):
    with pytest.raises(NotThere, match=r"neither .*entity2id.txt is there, and 4 more reasons like it"):
        require_dataset(source, dataset(folder), str(tmp_path))


def test_a_file_of_other_content_is_named_and_kept(mirror, source, folder):
    folder.mkdir(parents=True)
    (folder / "valid2id.txt").write_text("mine")
    with pytest.raises(NotThere, match=r"valid2id.txt has other content \(4 bytes.* Put valid2id.txt \(0.0 MB\)"):
        require_dataset(source, dataset(folder), str(mirror))
    assert (folder / "valid2id.txt").read_text() == "mine"


def test_other_ways_name_the_folders():
    assert other_ways(["A", "B"]).startswith("set DHNS_DATA to a folder that holds A/ and B/, or give mirror=PLACE")


def test_two_at_the_same_time_fetch_once(mirror, source, folder, capsys):
    with serving(mirror, delay=0.1) as server:
        both = [
            threading.Thread(target=fetch, args=(source, dataset(folder), source.files, server.url)) for _ in range(2)
        ]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert sorted(path for path, _ in server.requests) == sorted(f"/SET/{file.name}" for file in source.files)
    assert names(folder) == {file.name for file in source.files} | {OFFICIAL}
    assert f"another process is fetching into {folder}: waiting for its end" in capsys.readouterr().out


def test_a_file_system_without_locks_is_no_obstacle(mirror, source, folder, monkeypatch):
    lock = fcntl.flock

    def only_files(file, operation):
        if stat.S_ISDIR(os.fstat(file if isinstance(file, int) else file.fileno()).st_mode):
            raise OSError(errno.ENOLCK, "No locks available")
        lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", only_files)
    require_dataset(source, dataset(folder), str(mirror))
    assert set(GRAPH) < names(folder)


def test_what_nobody_has_published_is_not_looked_for(tmp_path):
    assert published("tsv", dataset(tmp_path)) is None
    assert published("mkg_w", OmegaConf.create({"name": "MKG-W"})).dataset == "MKG-W"
