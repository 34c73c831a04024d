"""Archives whose members are read, never unpacked to the paths that they name."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from dhns.errors import InputError

READ_ERRORS = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError)
"""What a damaged or encrypted archive raises, beside OSError."""


class Archive:
    """The regular files of a zip or tar archive, by their paths in it.

    Raises:
        InputError: the file is no archive, is damaged, or holds a member that would leave the folder into which it is
            unpacked: an absolute path, one with ``..``, a link or a device.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.members = _zip_members(path) if zipfile.is_zipfile(path) else _tar_members(path)
        except (*READ_ERRORS, OSError) as error:
            raise InputError(f"{path}: cannot be read as a zip or tar archive: {error}") from error

    @contextmanager
    def open(self, member: PurePosixPath) -> Iterator[IO[bytes]]:
        """The content of a member."""
        name = self.members[member]
        if zipfile.is_zipfile(self.path):
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as content:
                yield content
        else:
            with tarfile.open(self.path) as tar:
                opened = tar.extractfile(name)
                assert opened is not None  # only regular files are members
                with opened:
                    yield opened


def _zip_members(path: Path) -> Mapping[PurePosixPath, str]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    for entry in entries:
        # the upper half holds Unix's mode, or zeros where another system wrote the archive
        mode = entry.external_attr >> 16
        regular = stat.S_IFMT(mode) in (0, stat.S_IFREG, stat.S_IFDIR)
        _require_harmless(path, entry.filename, regular)
    return {PurePosixPath(entry.filename): entry.filename for entry in entries if not entry.is_dir()}


def _tar_members(path: Path) -> Mapping[PurePosixPath, str]:
    with tarfile.open(path) as archive:
        entries = archive.getmembers()
    for entry in entries:
        _require_harmless(path, entry.name, entry.isfile() or entry.isdir())
    return {PurePosixPath(entry.name): entry.name for entry in entries if entry.isfile()}


def _require_harmless(path: Path, name: str, regular: bool) -> None:
    drive = name[1:2] == ":"
    if not regular or drive or "\\" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        kind = "leads out of its folder" if regular else "is a link or a device"
        raise InputError(f"{path}: member {name!r} {kind}; the archive is refused, as nothing in it can be trusted")
