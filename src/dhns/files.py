"""Files written whole or not at all, and known by their content."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

PARTIAL = ".tmp"
"""Ends the names of files that are not complete yet."""
LOCK = ".lock"
"""The file by which the folder of a run is told from others, and held by one process at a time."""
_BLOCK = 1 << 22  # bytes


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, so that ``path`` is either absent, the old one, or complete: a temporary one, then renamed.

    Raises:
        OSError: with the path of the file, if the disk is full or the like.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # one that the writer met in another file keeps that file's name
        if error.errno is not None and (error.filename is None or Path(error.filename) in (temporary, *path.parents)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file, whole or not at all; see `replacing`."""
    with replacing(path) as file:
        file.write(content)


def link(source: Path, target: Path) -> None:
    """A hard link, or a copy where there can be none; the target is whole or absent."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}{PARTIAL}")
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(source.resolve(), temporary)  # not to what is a symbolic link itself, as in the cache of a hub
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


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
