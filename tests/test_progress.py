"""What is shown of long work, and when."""

import io
import logging

import pytest
from rich.console import Console
from rich.progress import Progress

import dhns.progress as module
from dhns.progress import progress, showing_progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only where a test says so."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def lines(clock, caplog, seconds, parts=1, total=10):
    """What is logged where each part takes so long."""
    caplog.set_level(logging.INFO)
    with progress("Working", total) as advance:
        for _ in range(0, total, parts):
            clock[0] += seconds
            advance(parts)
    return caplog.messages


def test_long_work_logs_a_line_after_a_second_and_ever_fewer(clock, caplog):
    assert lines(clock, caplog, 2, total=20) == [
        "Working: 5% in 2 s, about 38 s to go",
        "Working: 25% in 10 s, about 30 s to go",
    ]


def test_parts_may_be_large(clock, caplog):
    assert lines(clock, caplog, 3, parts=5) == ["Working: 50% in 3 s, about 3 s to go"]


def test_short_work_logs_nothing(clock, caplog):
    assert lines(clock, caplog, 0.1) == []


def test_progress_that_is_not_wanted_is_not_shown(clock, caplog):
    with showing_progress(False):
        assert lines(clock, caplog, 100) == []
    assert lines(clock, caplog, 100)


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made, for a terminal that keeps what is written to it."""
    made = []

    def bar(*columns, transient):
        screen = Console(file=io.StringIO(), force_terminal=True, width=80)
        made.append(Progress(*columns, console=screen, transient=transient))
        return made[-1]

    monkeypatch.setattr(module, "progress_bar", bar)
    monkeypatch.setattr(module.sys.stdout, "isatty", lambda: True, raising=False)
    return made


@pytest.mark.parametrize(("seconds", "shown"), [(2, True), (0.01, False)])
def test_a_terminal_has_a_bar_once_work_takes_long(clock, caplog, bars, seconds, shown):
    assert lines(clock, caplog, seconds) == []
    assert ("Working" in bars[0].console.file.getvalue()) is shown


def test_an_error_takes_the_bar_away(clock, bars):
    def work():
        with progress("Working", 2) as advance:
            clock[0] += 5
            advance(1)
            assert bars[0].live.is_started
            raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        work()
    assert not bars[0].live.is_started
