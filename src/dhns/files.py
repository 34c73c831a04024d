"""Files written whole or not at all, and known by their content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from dhns.errors import InputError

PARTIAL = ".tmp"
"""Ends the names of files that are not complete yet."""
LOCK = ".lock"
"""The file by which the folder of a run is told from others, and held by one process at a time."""
_BLOCK = 1 << 22  # bytes


_unfinished: set[Path] = set()
"""Files and folders that this process is writing; a request to end removes them, see `dhns.interruption`."""


def remove_unfinished() -> None:
    """Remove what this process has begun to write: it ends without coming back to whoever was writing."""
    for path in list(_unfinished):
        _remove(path)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """The place of something that is not complete yet, which is free, and is again in the end.

    Raises:
        OSError: with the path of what is written, where that of the place would mean nothing to anyone.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    _unfinished.add(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(temporary)
        yield temporary
    except OSError as error:
        # one that the writer met in another file keeps that file's name
        at = None if error.filename is None else Path(error.filename)
        if error.errno is not None and (at is None or at in path.parents or temporary in (at, *at.parents)):
            error.filename = str(path)
        raise
    finally:
        _remove(temporary)
        _unfinished.discard(temporary)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # where a folder of the path is a file, for one
            path.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, so that ``path`` is either absent, the old one, or complete: a temporary one, then renamed.

    Where ``path`` is a symbolic link, that stays, and the file that it points to is written.

    Raises:
        OSError: with the path of the file, if the disk is full or the like.
    """
    target = path.resolve() if path.is_symlink() else path
    with _beside(target) as temporary:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)


@contextmanager
def replacing_folder(path: Path, keep: Callable[[Path], bool] = lambda _: False) -> Iterator[Path]:
    """A new folder to write to, which takes the place of ``path`` when it is whole.

    Args:
        path: of the folder.
        keep: what of a former one there stays, of the files and folders right in it; all else is gone then.

    Raises:
        OSError: as `replacing`.
    """
    with _beside(path.resolve()) as temporary:
        temporary.mkdir()
        yield temporary
        if not path.exists():
            temporary.replace(path)
            return
        # its content alone: somebody may be in the folder, or reach it by a link
        former = temporary.with_suffix(".former")
        former.mkdir()
        for child in list(path.iterdir()):
            if not keep(child):
                child.replace(former / child.name)
        for child in list(temporary.iterdir()):
            child.replace(path / child.name)
        shutil.rmtree(former, ignore_errors=True)


def require_place(path: Path) -> None:
    """Refuse a place for a file or a folder that nothing could be written to, before anything is computed.

    Raises:
        InputError: what is above it is a file, or must not be written to.
    """
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise InputError(f"out={path}: {above} is a file, and nothing lies in a file; give another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"out={path}: the folder {above} must not be written to; give another place")


def require_apart(out: Path, *read: Path) -> None:
    """Refuse to write over a file that is read.

    Raises:
        InputError: ``out`` is one of them.
    """
    for path in read:
        if out.resolve() == path.resolve():
            raise InputError(f"out={out} is {path}, which is read and would be lost; give another file")


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file, whole or not at all; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where there can be none; the target is whole or absent."""
    with _beside(target) as temporary:
        try:
            os.link(source.resolve(), temporary)  # not to what is a symbolic link itself, as in the cache of a hub
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8, whole or not at all; see `write_bytes`."""
    write_bytes(path, text.encode())


def remove_partial_files(folder: Path) -> None:
    """Remove what processes that were killed while they wrote have left anywhere under a folder."""
    for path in folder.rglob(f".*{PARTIAL}"):
        path.unlink(missing_ok=True)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON, whole or not at all; see `write_text`."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def known_sha256(path: Path) -> str:
    """`sha256`, computed once per process while size and times of change of the file stay.

    The time of the last write alone would not tell: copies and archives bring the one of their source along.
    """
    status = path.stat()
    return _known(str(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


@functools.cache
def _known(path: str, *_: int) -> str:
    return sha256(Path(path))
