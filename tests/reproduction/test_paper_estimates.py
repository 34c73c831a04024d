"""Intervals and differences of a table are those of the ranks beside its results, in whatever it is written as."""

import csv
import io
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from dhns.experiments.reproduction.paper_formats import latex, long_csv, markdown, show_table
from dhns.experiments.reproduction.paper_table import paper_table
from dhns.results import estimates
from dhns.results.estimates import per_query
from dhns.results.intervals import bootstrap_means, sign_flip_test
from dhns.results.ranks import FILE_NAME, write_ranks
from reproduction.fakes import cell, settings, store
from results.stored import measured, ranked

QUERIES, ENTITIES = 300, 60
CLUSTER = np.arange(QUERIES) % ENTITIES


def drawn(random, better=1.0):
    """Ranks that some entities make hard for all, and a system's taste for all queries about an entity."""
    luck = np.random.default_rng(0).normal(size=ENTITIES) + 0.5 * random.normal(size=ENTITIES)
    ranks = np.exp(1.5 + luck[CLUSTER] + 0.5 * random.normal(size=QUERIES)) / better
    return ranked(np.maximum(1, np.round(ranks)), CLUSTER)


def keep(of, *runs):
    """Results and ranks for the runs of a cell."""
    for run, queries in zip(of.runs, runs, strict=True):
        store(run, 0.0, metrics={"test": measured(queries)})
        write_ranks(run.folder / FILE_NAME, {"test": queries})
    return of


@pytest.fixture
def systems():
    random = np.random.default_rng(5)
    return {
        "complex_n3": [drawn(random), drawn(random)],
        "alike": [drawn(random, 1.05)],
        "good": [drawn(random, 3), drawn(random, 3)],
    }


@pytest.fixture
def cells(tmp_path, systems):
    """A table of these, and of a row whose run keeps no ranks."""
    kept = [keep(cell(tmp_path, name, seeds=range(len(runs))), *runs) for name, runs in systems.items()]
    silent = cell(tmp_path, "silent", published={"mrr": 31.5})
    store(silent.runs[0], 0.2)
    return [*kept, silent, cell(tmp_path, "not run")]


def resampled(systems):
    """Means of each system in 4000 resamples of the entities: a bootstrap of its own."""
    random = np.random.default_rng(11)
    values = {name: np.mean([per_query(run, "mrr") for run in runs], axis=0) for name, runs in systems.items()}
    times = random.multinomial(ENTITIES, np.full(ENTITIES, 1 / ENTITIES), size=4000)[:, CLUSTER]
    return {name: times @ of / times.sum(1) for name, of in values.items()}


def test_rows_have_the_intervals_and_differences_of_another_bootstrap(tmp_path, cells, systems):
    (section,) = paper_table(settings(tmp_path), cells).sections
    rows = {row.label: row for row in section.rows}
    means = resampled(systems)
    for name, of in means.items():
        estimate, tolerance = rows[name].estimate, 0.2 * np.std(of)
        assert 100 * estimate.value == pytest.approx(rows[name].entries["mrr"].mean)
        assert (estimate.low, estimate.high) == pytest.approx(np.quantile(of, [0.025, 0.975]), abs=tolerance)
        if name == "complex_n3":
            assert estimate.difference is None
            continue
        apart = of - means["complex_n3"]
        found = estimate.difference
        assert (found.low, found.high) == pytest.approx(np.quantile(apart, [0.025, 0.975]), abs=0.2 * np.std(apart))
        assert found.holds() == (name == "good")
    assert section.against == "complex_n3"
    assert rows["silent"].estimate is rows["not run"].estimate is None
    assert section.facts["without interval"].startswith("silent: ")


def test_all_formats_say_the_same(tmp_path, cells, capsys):
    table = paper_table(settings(tmp_path), cells)
    rows = {row.label: row for row in table.sections[0].rows}
    lines = {line["row"]: line for line in csv.DictReader(io.StringIO(long_csv(table))) if line["metric"] == "mrr"}
    show_table(table)
    terminal = capsys.readouterr().out
    for name in ("complex_n3", "alike", "good"):
        estimate, line = rows[name].estimate, lines[name]
        assert (float(line["low"]), float(line["high"])) == pytest.approx((100 * estimate.low, 100 * estimate.high))
        interval = f"[{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"
        told = [interval]
        if (apart := estimate.difference) is None:
            assert line["against"] == line["holds"] == ""
        else:
            told.append(f"{100 * apart.value:+.2f} [{100 * apart.low:+.2f}, {100 * apart.high:+.2f}]")
            assert float(line["to_against"]) == pytest.approx(100 * apart.value)
            assert (line["against"], line["holds"]) == ("complex_n3", "true" if name == "good" else "false")
            assert float(line["p_corrected"]) == apart.corrected
        (in_markdown,) = [
            row for row in markdown(table).splitlines() if f"| {name.replace('_', chr(92) + '_')} |" in row
        ]
        (in_latex,) = [row for row in latex(table).splitlines() if f"& {name.replace('_', chr(92) + '_')} &" in row]
        assert all(text in place for text in told for place in (in_markdown, in_latex, terminal))
        assert (f"**{told[-1]}**" in in_markdown) == (rf"\textbf{{{told[-1]}}}" in in_latex) == (name == "good")
    assert [value for key, value in lines["silent"].items() if key in ("low", "against", "holds")] == ["", "", ""]
    tables = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in tables} == {2 + 3 * 2 + 2 + 1}
    code = latex(table)
    assert r"\multicolumn{5}{c}{MRR} & \multicolumn{3}{c}{Hits@1} \\" in code
    assert r"\cmidrule(lr){3-7} \cmidrule(lr){8-10}" in code
    assert " & & ours & paper & diff. & 95 \\% & to complex\\_n3 & ours & paper & diff. \\\\" in code


def test_a_table_without_ranks_or_without_that_row_has_no_such_columns(tmp_path, cells):
    few = paper_table(settings(tmp_path, against=None), cells).sections[0]
    assert few.against is None
    assert few.has_intervals
    absent = paper_table(settings(tmp_path), cells[1:])
    assert absent.sections[0].against is None
    assert "95 %" in markdown(absent)
    assert "to complex" not in markdown(absent)
    none = paper_table(settings(tmp_path), cells[3:])
    assert "95 %" not in markdown(none)
    assert "without interval" not in none.sections[0].facts


def test_rows_that_share_their_runs_are_compared_once(tmp_path, cells):
    shared = tuple(replace(run, choices=("model=same",)) for run in cells[2].runs)
    (once,), (again,) = (
        paper_table(settings(tmp_path), table).sections
        for table in (cells, [*cells, replace(cells[2], label="same", runs=shared)])
    )
    rows = {row.label: row.estimate for row in again.rows}
    assert rows["same"] == rows["good"] == {row.label: row.estimate for row in once.rows}["good"]


def test_tables_of_systems_that_are_alike_rarely_mark_a_difference(tmp_path, monkeypatch):
    """At most one table in twenty, as it is promised, of 150 tables of four rows: 15 are more than chance allows."""
    monkeypatch.setattr(estimates, "bootstrap_means", partial(bootstrap_means, resamples=2))
    monkeypatch.setattr(estimates, "sign_flip_test", partial(sign_flip_test, flips=399))
    random, tables, marked = np.random.default_rng(2), 150, 0
    names = ("complex_n3", "a", "b", "c")
    for _ in range(tables):
        systems = [[drawn(random)] for _ in names]
        (everything,) = estimates.slices(systems, against=0)
        marked += any(each.difference.holds() for each in everything.estimates[1:])
    assert 0 < marked < 15
