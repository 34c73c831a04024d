"""One file comes whole and verified, or nothing lies at its name."""

import errno
import fcntl
import hashlib
import os
import shutil

import pytest

from dhns.errors import InputError
from dhns.sources import transfer
from dhns.sources.origins import Absent, Folder, Unavailable, Web, origin
from dhns.sources.source import PublishedFile
from dhns.sources.transfer import Interrupted, WrongContent, receive
from sources.server import serving

CONTENT = bytes(range(256)) * 1000
NAME = "train2id.txt"


@pytest.fixture
def published(tmp_path):
    """A folder laid out as a mirror."""
    (tmp_path / "published" / "SET").mkdir(parents=True)
    (tmp_path / "published" / "SET" / NAME).write_bytes(CONTENT)
    return tmp_path / "published"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "data"


def known(content=CONTENT):
    return PublishedFile(NAME, len(content), hashlib.sha256(content).hexdigest())


def fetch(server, folder, file=None):
    seen = []
    receive(file or known(), Web("SET", server.url), folder, seen.append)
    return seen


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def part(folder, content):
    folder.mkdir(exist_ok=True)
    (folder / f".{NAME}.part").write_bytes(content)


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(published, folder):
    with serving(published) as server:
        seen = fetch(server, folder)
    assert (folder / NAME).read_bytes() == CONTENT
    assert files(folder) == [NAME]
    assert seen == sorted(seen)
    assert seen[-1] == len(CONTENT)
    assert server.requests == [(f"/SET/{NAME}", None)]


def test_a_partial_download_is_resumed(published, folder):
    part(folder, CONTENT[:100_000])
    with serving(published) as server:
        fetch(server, folder)
    assert server.requests == [(f"/SET/{NAME}", "bytes=100000-")]
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_connection_that_breaks_off_is_taken_up_again(published, folder):
    with serving(published, break_after=100_000) as server:
        fetch(server, folder)
    assert [wanted for _, wanted in server.requests] == [None, "bytes=100000-", "bytes=200000-"]
    assert (folder / NAME).read_bytes() == CONTENT


def test_one_that_always_breaks_off_keeps_what_came_for_the_next_time(published, folder):
    with serving(published, break_after=1000) as server, pytest.raises(Interrupted, match=r"5,000 of 256,000 bytes"):
        fetch(server, folder)
    assert files(folder) == [f".{NAME}.part"]
    with serving(published) as server:
        fetch(server, folder)
    assert server.requests == [(f"/SET/{NAME}", "bytes=5000-")]
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_again(published, folder):
    part(folder, b"x" * 100_000)
    with serving(published, ranges=False) as server:
        fetch(server, folder)
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_partial_file_of_another_version_is_fetched_anew(published, folder):
    part(folder, b"x" * 100_000)
    with serving(published) as server:
        fetch(server, folder)
    assert [wanted for _, wanted in server.requests] == ["bytes=100000-", None]
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_partial_file_that_is_too_long_is_fetched_anew(published, folder):
    part(folder, CONTENT + b"x")
    with serving(published) as server:
        fetch(server, folder)
    assert (folder / NAME).read_bytes() == CONTENT


def test_a_complete_partial_file_needs_no_transfer(published, folder):
    part(folder, CONTENT)
    with serving(published) as server:
        fetch(server, folder)
    assert (server.requests, files(folder)) == ([], [NAME])


def test_wrong_bytes_are_thrown_away(published, folder):
    wrong = CONTENT[:-1] + b"!"
    (published / "SET" / NAME).write_bytes(wrong)
    with serving(published) as server, pytest.raises(WrongContent) as raised:
        fetch(server, folder)
    assert hashlib.sha256(wrong).hexdigest() in str(raised.value)
    assert known().sha256 in str(raised.value)
    assert files(folder) == []


def test_a_file_of_another_size_is_refused_before_it_is_fetched(published, folder):
    with (
        serving(published) as server,
        pytest.raises(Unavailable, match=r"has 256,000 bytes, expected 10: it is another"),
    ):
        fetch(server, folder, known(b"0123456789"))
    assert files(folder) == []


def test_one_without_end_is_cut_off(published, folder):
    with serving(published, chunked=True) as server, pytest.raises(WrongContent, match="longer than the 10 bytes"):
        fetch(server, folder, known(b"0123456789"))
    assert files(folder) == []


def test_a_range_that_leaves_a_gap_is_refused(published, folder):
    part(folder, CONTENT[:1000])
    with serving(published, shift=50) as server, pytest.raises(Unavailable, match=r"from byte 1,050 on, and 1,000 are"):
        fetch(server, folder)
    assert files(folder) == [f".{NAME}.part"]


@pytest.mark.parametrize(("status", "kind"), [(404, Absent), (403, Unavailable), (503, Unavailable)])
def test_a_server_that_refuses_is_asked_once(published, folder, status, kind):
    with serving(published, status=status) as server, pytest.raises(kind, match=f"answers {status}"):
        fetch(server, folder)
    assert (len(server.requests), files(folder)) == (1, [])


def test_no_server_at_all(published, folder):
    with serving(published) as server:
        pass
    with pytest.raises(Unavailable, match="cannot be reached"):
        fetch(server, folder)
    assert files(folder) == []


def test_a_second_process_is_refused_while_one_fetches(published, folder):
    part(folder, b"")
    with (folder / f".{NAME}.part").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with serving(published) as server, pytest.raises(InputError, match="another process is fetching"):
            fetch(server, folder)
    assert not (folder / NAME).exists()


def test_a_full_disk_ends_it_at_once_and_keeps_what_came(published, folder, monkeypatch):
    class Full:
        """A file that takes one block."""

        def __init__(self, file):
            self.file = file
            self.blocks = 1

        def write(self, block):
            if not self.blocks:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.blocks -= 1
            return self.file.write(block)

        def __getattr__(self, name):
            return getattr(self.file, name)

    complete = transfer._complete
    monkeypatch.setattr(
        transfer, "_complete", lambda file, origin, part, advance: complete(file, origin, Full(part), advance)
    )
    with (
        serving(published) as server,
        pytest.raises(InputError, match=r"part: No space left on device; what came is kept"),
    ):
        fetch(server, folder)
    monkeypatch.undo()
    assert files(folder) == [f".{NAME}.part"]
    with serving(published) as server:
        fetch(server, folder)
    assert server.requests[0][1].startswith("bytes=")
    assert (folder / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("flat", [False, True])
def test_a_folder_is_a_mirror(published, folder, flat):
    part(folder, CONTENT[:1000])
    receive(known(), Folder("SET", published / "SET" if flat else published), folder, lambda done: None)
    assert (folder / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("form", ["zip", "tar", "gztar", "xztar"])
def test_an_archive_is_a_mirror(published, folder, tmp_path, form):
    archive = shutil.make_archive(str(tmp_path / "downloaded"), form, published)
    receive(known(), origin("SET", archive), folder, lambda done: None)
    assert (folder / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize("mirror", ["nowhere", "file:///etc", "ftp://127.0.0.1/x"])
def test_no_other_mirror_is_taken(mirror):
    with pytest.raises(InputError, match="no folder, no archive and no address"):
        origin("SET", mirror)
