"""How far long work is: a bar on a terminal, lines in the log elsewhere, nothing where it is not wanted."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from dhns.console import STEPS, progress_bar

log = logging.getLogger(__name__)

PATIENCE = 1.0
"""Seconds before anything is shown; from one line of the log to the next, their number grows fourfold."""

Advance = Callable[[int], None]
"""Takes the number of parts that have been done since the last call."""

_wanted: ContextVar[bool] = ContextVar("progress is wanted", default=True)


@contextmanager
def showing_progress(wanted: bool) -> Iterator[None]:
    """Within, `progress` shows something, or nothing."""
    token = _wanted.set(wanted)
    try:
        yield
    finally:
        _wanted.reset(token)


def progress(description: str, total: int) -> AbstractContextManager[Advance]:
    """Work of ``total`` parts, which reports those that are done through what it is given."""
    if not _wanted.get():
        return _silence()
    return (_bar if sys.stdout.isatty() else _lines)(description, total)


@contextmanager
def _silence() -> Iterator[Advance]:
    yield lambda parts: None


@contextmanager
def _bar(description: str, total: int) -> Iterator[Advance]:
    bar = progress_bar(*STEPS, transient=True)
    task = bar.add_task(description, total=total)
    started = time.monotonic()

    def advance(parts: int) -> None:
        bar.advance(task, parts)
        if time.monotonic() - started > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


@contextmanager
def _lines(description: str, total: int) -> Iterator[Advance]:
    started, done, due = time.monotonic(), 0, PATIENCE

    def advance(parts: int) -> None:
        nonlocal done, due
        done += parts
        seconds = time.monotonic() - started
        if seconds > due and 0 < done < total:
            due = 4 * seconds
            left = seconds * (total - done) / done
            log.info("%s: %.0f%% in %.0f s, about %.0f s to go", description, 100 * done / total, seconds, left)

    yield advance
