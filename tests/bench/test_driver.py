"""Sides are run in turn, each in its own process; what they say becomes figures, tables and records."""

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.driver import Quoted, Side, Work, measure
from benchmarks.report import record, table, times_as_fast

FAKES = "fakes"


@pytest.fixture(autouse=True)
def _fakes_are_importable(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def side(label, target, **job):
    return Side(label, f"{FAKES}:{target}", job)


def run(work, repeats=2):
    return measure(work, sys.executable, sys.executable, repeats)


def test_sides_alternate_after_a_round_of_warming_up(tmp_path):
    path = str(tmp_path / "turns")
    sides = [side(letter, "notes_its_turns", path=path, letter=letter) for letter in "ab"]
    found = run(Work("t", "s", sides), repeats=3)
    assert Path(path).read_text() == "ab" * 4
    assert [len(measured.values) for measured in found] == [3, 3]


@pytest.mark.parametrize(("unit", "expected"), [("s", 0.02 / 4), ("items/s", 4 / 0.02)])
def test_figures_are_seconds_per_amount_or_amounts_per_second(unit, expected):
    (found,) = run(Work("t", unit, [side("a", "sleeps", seconds=0.02, amount=4.0)]))
    # a sleep may take longer, never less
    assert found.median >= expected if unit == "s" else found.median <= expected
    assert found.peak_mib > 1


def test_a_side_that_sleeps_costs_the_processor_nothing():
    work = Work("t", "CPU s", [side("a", "sleeps", seconds=0.3)], baseline="a")
    (found,) = run(work)
    assert 0 <= found.median < 0.3
    assert record(work, [found], 2, {})["times_as_fast"] == {"a": 1.0}


def test_what_a_side_prints_is_no_answer():
    (found,) = run(Work("t", "s", [side("a", "talks")]))
    assert len(found.values) == 2
    assert not found.failure


def test_a_side_that_fails_says_why_and_leaves_the_others_alone():
    work = Work("t", "s", [side("a", "sleeps", seconds=0), side("b", "fails_at_second_turn")], baseline="b")
    found = run(work)
    assert len(found[0].values) == 2
    assert found[1].failure == "out of memory, say"
    content = record(work, found, 2, {})
    assert content["sides"][1]["failure"] == "out of memory, say"
    assert content["times_as_fast"] == {}
    assert "out of memory, say" in rendered(work, found)


def test_without_their_environment_the_peers_fail_and_say_what_sets_it_up(tmp_path):
    peer = Side("b", f"{FAKES}:sleeps", {"seconds": 0}, peer=True)
    work = Work("t", "s", [side("a", "sleeps", seconds=0), peer])
    ours, theirs = measure(work, sys.executable, str(tmp_path / "none" / "python"), 1)
    assert len(ours.values) == 1
    assert "make bench" in theirs.failure


def rendered(work, found):
    text = io.StringIO()
    Console(width=160, file=text).print(table("name", work, found))
    return text.getvalue()


@pytest.mark.parametrize(("unit", "expected"), [("s", {"a": 4.0, "b": 1.0}), ("x/s", {"a": 0.25, "b": 1.0})])
def test_ratios_are_speeds_relative_to_the_baseline(unit, expected):
    work = Work("t", unit, [side("a", "sleeps"), side("b", "sleeps")], baseline="b")
    found = run(Work("t", unit, [side("a", "sleeps", seconds=0), side("b", "sleeps", seconds=0)]), repeats=1)
    found[0].values, found[1].values = [0.5, 0.5, 9.0], [2.0]
    assert times_as_fast(work, found) == expected
    cells = [cell.strip() for cell in rendered(work, found).splitlines()[4].split("│")]
    assert cells[1:5] == ["a", "0.5", "0.5 .. 9", f"{expected['a']:.3g}"]


def test_a_quoted_figure_may_be_the_baseline_and_is_marked():
    work = Work(
        "t", "s", [side("a", "sleeps", seconds=0)], baseline="reference", quoted=[Quoted("reference", 10.0, "N")]
    )
    found = run(work, repeats=1)
    found[0].values = [2.0]
    assert times_as_fast(work, found) == {"reference": 1.0, "a": 5.0}
    assert "not measured here: N" in rendered(work, found)
