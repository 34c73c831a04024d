"""No member of an archive reaches a path outside, and damaged archives are refused."""

import io
import stat
import tarfile
import zipfile
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhns.errors import InputError
from dhns.sources.archives import Archive
from dhns.sources.origins import ArchivedFiles, Unavailable
from dhns.sources.source import PublishedFile

ESCAPES = ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "C:/evil", ".."]


def zip_of(path, names, mode=0):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, b"content")
    return path


def tar_of(path, names, kind=tarfile.REGTYPE):
    with tarfile.open(path, "w") as archive:
        for name in names:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/passwd"
            entry.size = 7 if kind == tarfile.REGTYPE else 0
            archive.addfile(entry, io.BytesIO(b"content"))
    return path


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("name", ESCAPES)
def test_members_that_would_escape_are_refused(tmp_path, make, name):
    with pytest.raises(InputError, match="leads out of its folder"):
        Archive(make(tmp_path / "archive", ["fine.txt", name]))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    with pytest.raises(InputError, match="is a link or a device"):
        Archive(tar_of(tmp_path / "archive", ["train2id.txt"], kind))


def test_links_in_a_zip_are_refused(tmp_path):
    with pytest.raises(InputError, match="is a link or a device"):
        Archive(zip_of(tmp_path / "archive", ["train2id.txt"], stat.S_IFLNK | 0o777))


@given(st.lists(st.sampled_from(["..", ".", "", "a", "b.txt", "c:", "\\", "~"]), min_size=1, max_size=5).map("/".join))
def test_what_is_accepted_stays_inside(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("archive")
    try:
        members = Archive(tar_of(folder / "archive.tar", [name])).members
    except InputError:
        return
    for member in members:
        assert (folder / "inside" / member).resolve().is_relative_to(folder / "inside")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short", b"\x1f\x8b\x08 damaged"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(InputError, match="cannot be read as a zip or tar archive"):
        Archive(tmp_path / "file")


def test_the_member_of_the_data_set_is_taken_among_those_of_one_name(tmp_path):
    file = PublishedFile("train2id.txt", 7, "0" * 64)
    path = zip_of(tmp_path / "archive", ["all/DB15K/train2id.txt", "all/MKG-W/train2id.txt"])
    assert ArchivedFiles("MKG-W", path)._member(file) == PurePosixPath("all/MKG-W/train2id.txt")
    with pytest.raises(Unavailable, match="which of them is meant cannot be told"):
        ArchivedFiles("MKG-Y", path)._member(file)
