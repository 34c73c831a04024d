"""Files as streams of bytes or text, packed or not, and what is said of those that cannot be read."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from dhns.errors import InputError
from dhns.graph.text_files import archive_of, require_utf8

_START = 4096  # bytes that tell what a file is


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The content of a file, unpacked if its name ends in ``.gz``.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise InputError(f"{path}: {'a folder, a file is expected' if path.is_dir() else 'no such file'}")
    try:
        file = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115  # closed below
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    with file:
        yield cast(BinaryIO, file)


@contextmanager
def opened_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Its text, line ends as they are.

    Raises:
        InputError: as `opened`; or it begins as no UTF-8 does.
    """
    with opened(path) as file:
        require_text(path, file)
    with opened(path) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        yield text


def require_text(path: Path, file: BinaryIO) -> None:
    """Refuse what is packed in another way than its name says, or written in two or four bytes a letter.

    Raises:
        InputError: its first bytes tell.
    """
    with unpacking(path):
        start = file.read(_START)
    require_utf8(path, start)
    if archive := archive_of(start):
        raise InputError(f"{path}: the file is {archive}")


def not_utf8(path: Path) -> InputError:
    """What is wrong with a text that is not UTF-8: the first line that is not."""
    with opened(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return InputError(
                    f"{path}, line {number}: not UTF-8 (byte 0x{line[error.start]:02x}); save it in UTF-8"
                )
    return InputError(f"{path}: not UTF-8; save it in UTF-8")


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """Say in one line what is wrong with a packed file.

    Raises:
        InputError: it is damaged, cut short, or not packed by gzip.
    """
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: its name says gzip, but it cannot be unpacked ({error}); pack it again") from None
