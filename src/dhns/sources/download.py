"""Published files into the folder of their data set, and what a person has to fetch where that fails."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import lock_descriptor
from rich.progress import BarColumn, DownloadColumn, TransferSpeedColumn

from dhns.console import DESCRIPTION, Bar, progress_bar
from dhns.errors import InputError
from dhns.sources.origins import Absent, Origin, Unavailable
from dhns.sources.source import PublishedFile, check_file
from dhns.sources.transfer import receive


@dataclass(frozen=True)
class Outcome:
    """What became of a file: it was there, was fetched, or is not there for a ``reason``."""

    file: PublishedFile
    text: str
    present: bool
    failed: bool = False


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Make a folder and hold it: another process that fetches into it waits, and then finds the files there.

    Raises:
        InputError: the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # the folder itself, so that no file of a lock stays behind
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {error.strerror}") from error
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        if not lock_descriptor(descriptor, blocking=False):
            print(f"another process is fetching into {folder}: waiting for its end")
            lock_descriptor(descriptor)
    except OSError:
        pass  # some network file systems have no locks; each file that comes in has one of its own


def download(files: Iterable[PublishedFile], origin: Origin, folder: Path) -> list[Outcome]:
    """Fetch what the folder lacks; a file that fails does not stop the others, and nothing is overwritten.

    Raises:
        InputError: the folder cannot be written to, or another process is fetching into it.
    """
    columns = (DESCRIPTION, BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with progress_bar(*columns, transient=True) as progress:
        try:
            return [_fetch(file, origin, folder, progress) for file in files]
        except OSError as error:
            raise InputError(f"{error.filename or folder}: {error.strerror}; the same command goes on") from error


def by_hand(outcomes: list[Outcome], folder: Path) -> Iterator[str]:
    """What a person has to fetch, in lines: from where, to where, and how to tell that it is the right file."""
    for outcome in outcomes:
        if outcome.present:
            continue
        file = outcome.file
        yield f"{file.name} ({'optional' if file.optional else 'needed'}): {outcome.text}"
        yield from (f"    from    {place}" for place in (file.url, file.by_hand) if place)
        yield f"    to      {folder / file.name}"
        yield f"    size    {file.bytes} bytes"
        yield f"    SHA-256 {file.sha256}"


def _fetch(file: PublishedFile, origin: Origin, folder: Path, progress: Bar) -> Outcome:
    path = folder / file.name
    there = check_file(file, path)
    if there.status == "ok":
        return Outcome(file, "already there", present=True)
    if there.found is not None:
        size, digest = there.found
        return Outcome(
            file,
            f"{path} has other content ({size:,} bytes, SHA-256 {digest}); it was left alone, move it away",
            present=False,
            failed=True,
        )
    task = progress.add_task(file.name, total=file.bytes)
    try:
        receive(file, origin, folder, lambda done: progress.update(task, completed=done))
    except Absent as reason:
        return Outcome(file, str(reason), present=False, failed=not file.optional)
    except Unavailable as reason:
        return Outcome(file, str(reason), present=False, failed=True)
    return Outcome(file, "fetched and verified", present=True)
