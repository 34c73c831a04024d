"""The transfer of one file: resumed where it broke off, verified, and only then put in place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from dhns.errors import InputError
from dhns.files import sha256
from dhns.sources.origins import BROKEN, Origin, Unavailable
from dhns.sources.source import PublishedFile

_ATTEMPTS = 5  # connections; what came in over one is kept for the next
_BLOCK = 1 << 16  # bytes


class Interrupted(Unavailable):
    """The bytes stopped coming; those that came are kept."""


class WrongContent(Unavailable):
    """The bytes are not those of the published file."""


def receive(file: PublishedFile, origin: Origin, folder: Path, advance: Callable[[int], None]) -> None:
    """Fetch a file into a folder. Until it is whole and verified, its bytes are in ``.<name>.part`` beside it.

    Args:
        file: to fetch.
        origin: to read it from.
        folder: to put it into.
        advance: is told how many of its bytes are there.

    Raises:
        Unavailable: the origin does not give it, breaks off again and again, or has other content.
        InputError: another process is fetching it.
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{file.name}.part"
    with partial.open("ab") as part:
        if not lock_descriptor(part.fileno(), blocking=False):
            raise InputError(f"{partial}: another process is fetching this file; wait until it ends")
        try:
            _fill(file, origin, part, advance)
            os.fsync(part.fileno())
            partial.replace(folder / file.name)
        finally:
            if _size(part) == 0:
                partial.unlink(missing_ok=True)


def _fill(file: PublishedFile, origin: Origin, part: IO[bytes], advance: Callable[[int], None]) -> None:
    """Bring ``part`` to the published content, or empty it."""
    resumed = _size(part) > 0
    _complete(file, origin, part, advance)
    if resumed and sha256(Path(part.name)) != file.sha256:
        # what lay there may be of another version of the file: the whole of it gets a chance
        part.truncate(0)
        _complete(file, origin, part, advance)
    if (found := sha256(Path(part.name))) != file.sha256:
        part.truncate(0)
        raise WrongContent(f"SHA-256 is {found}, expected {file.sha256}; what came was thrown away")


def _complete(file: PublishedFile, origin: Origin, part: IO[bytes], advance: Callable[[int], None]) -> None:
    """Append to ``part`` until it has the file's size."""
    reason = ""
    for _ in range(_ATTEMPTS):
        if _size(part) > file.bytes:
            part.truncate(0)
        if _size(part) == file.bytes:
            return
        try:
            _append(file, origin, part, advance)
        except BROKEN as error:
            reason = f": {str(error) or type(error).__name__}"
    if _size(part) < file.bytes:
        raise Interrupted(
            f"broke off after {_size(part):,} of {file.bytes:,} bytes{reason}; they are kept, the same command goes on"
        )


def _append(file: PublishedFile, origin: Origin, part: IO[bytes], advance: Callable[[int], None]) -> None:
    have = _size(part)
    with origin.open(file, have) as incoming:
        if incoming.start > have:
            raise Unavailable(f"it was sent from byte {incoming.start:,} on, and {have:,} are there")
        part.truncate(incoming.start)
        have = incoming.start
        advance(have)
        while block := incoming.stream.read(_BLOCK):
            have += len(block)
            if have > file.bytes:
                part.truncate(0)
                raise WrongContent(f"it is longer than the {file.bytes:,} bytes that are expected")
            _write(part, block)
            advance(have)


def _write(part: IO[bytes], block: bytes) -> None:
    try:
        part.write(block)
        part.flush()
    except OSError as error:
        # not an error of the origin: trying again would not help
        raise InputError(f"{part.name}: {error.strerror}; what came is kept, the same command goes on") from error


def _size(part: IO[bytes]) -> int:
    return os.fstat(part.fileno()).st_size
