"""Requests to end: the program ends at once or in order, says so in one line, and the same command continues."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from dhns.files import remove_unfinished

_REQUESTS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the request of a cluster to end, and a terminal that closes."""
_SHOW_CURSOR = b"\x1b[?25h"
_BROKEN_PIPE = 128 + 13


class Stopped(BaseException):
    """The program was asked to end; not a `KeyboardInterrupt`, which Lightning turns into an exit of its own.

    Attributes:
        status: exit status of a program that ended by this signal, as shells count.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.status = 128 + number


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Within, a request to end is met at once, and a reader of the output that has gone ends the program silently.

    No exception is raised, which an import that it hits would swallow, or mistake for a failure of its own. Files that
    are half written are removed; what else has to be put in order lies in `stopped_by_signals`.
    """
    program = os.getpid()

    def end(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() == program:  # and no process that it has forked
            remove_unfinished()
            if sys.__stdout__ is not None and sys.__stdout__.isatty():
                os.write(1, _SHOW_CURSOR)  # which a progress bar hides
            os.write(2, f"stopped by {signal.Signals(number).name}\n".encode())
        os._exit(128 + number)

    try:
        with _handled(end):
            try:
                yield
            finally:
                sys.stdout.flush()
    except BrokenPipeError:
        end_silently()


def end_silently() -> NoReturn:
    """End the program as SIGPIPE would: the reader of its output has gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):  # Python flushes them once more at its end
        with suppress(OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    sys.exit(_BROKEN_PIPE)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Within, a request to end raises `Stopped`."""
    with _handled(_stop):
        yield


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped(number)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], NoReturn]) -> Iterator[None]:
    """Outside of the main thread, to which Python gives signals, nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in _REQUESTS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
