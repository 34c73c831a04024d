"""Systems side by side: which of them have estimates, what is said of the others, and what is written."""

import csv
import json
import re

import numpy as np
import pytest

from dhns.config.identity import BUDGET
from dhns.errors import InputError
from dhns.files import write_json
from dhns.graph.fingerprint import key_fingerprint
from dhns.graph.readers import read_openke
from dhns.resources import embedded_dir
from dhns.results.comparison import compare, notes
from dhns.results.comparison_tables import comparison_table, estimates_table
from dhns.results.estimates import slices
from dhns.results.export import COLUMNS, as_json, comparison_records, write_comparison
from dhns.results.missing import by_missing
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.ranks import write_ranks
from dhns.results.records import require_kind
from dhns.results.schema import require_usable
from dhns.results.store import FILE_NAME, find_results
from dhns.results.systems import data_sets
from dhns.results.tables import missing_table, show
from dhns.results.titles import differences, settings
from results.stored import ranked, result, store


@pytest.fixture
def queries():
    """Ranks of the same 120 queries by system and seed."""
    random = np.random.default_rng(1)
    hard = random.lognormal(1, 1, 120)

    def runs(better, seeds):
        noise = random.lognormal(0, 0.5, (seeds, 120))
        return [ranked(np.maximum(1, np.round(hard * each / better)), np.arange(120) % 30) for each in noise]

    return {"rotate": runs(1, 2), "distmult": runs(1.5, 1), "complex_n3": runs(4, 3)}


@pytest.fixture
def place(tmp_path, queries):
    """A folder with three systems, all with ranks."""
    for model, runs in queries.items():
        for seed, run in enumerate(runs):
            store(tmp_path / model / str(seed), run, f"model={model}", seed=seed)
    return tmp_path


def compared(place, *options, **more):
    return [compare(data, *options, **more) for data in data_sets(find_results(place))]


def cells(table):
    """Rows by the first words of the system."""
    headers = [column.header for column in table.columns]
    columns = [list(column.cells) for column in table.columns]
    rows = [dict(zip(headers, row, strict=True)) for row in zip(*columns, strict=True)]
    return {row["system"].split(" ")[0]: row for row in rows}


def test_rows_have_the_interval_of_their_metric(place, queries):
    (found,) = compared(place, "hits@3", 0.9)
    assert [system.name for system in found.ranked] == ["rotate", "distmult", "complex_n3 ComplEx"]
    (everything,) = slices([queries[name] for name in ("rotate", "distmult", "complex_n3")], "hits@3", 0.9)
    assert found.slices == (everything,)
    rows = cells(comparison_table([found]))
    for row, estimate in zip(list(rows.values())[1:], everything.estimates, strict=True):
        assert row["Hits@3 90 %"] == f"[{100 * estimate.low:.2f}, {100 * estimate.high:.2f}]"
        assert row["Hits@3"].split(" ")[0] == f"{100 * estimate.value:.2f}", "ranks and results say the same"
    assert rows["relation"]["Hits@3 90 %"] == ""
    assert rows["rotate"]["seeds"] == "2"
    assert "±" in rows["rotate"]["MRR"], "the deviation over seeds stands apart from the interval"
    assert not notes([found])


def test_negatives_of_all_entities_are_a_row(place):
    (found,) = compared(place)
    assert cells(comparison_table([found]))["complex_n3"]["negatives"] == "all"


def test_differences_from_one_system(place, queries):
    (found,) = compared(place, against="rotate")
    assert found.against.name == "rotate"
    rows = cells(estimates_table(found))
    estimates = slices([queries[name] for name in ("rotate", "distmult", "complex_n3")], against=0)[0].estimates
    assert rows["rotate"]["difference"] == rows["rotate"]["p"] == ""
    for name, estimate in zip(("distmult", "complex_n3"), estimates[1:], strict=True):
        apart = estimate.difference
        assert rows[name]["difference"] == f"{100 * apart.value:+.2f}"
        assert rows[name]["difference 95 %"] == f"[{100 * apart.low:+.2f}, {100 * apart.high:+.2f}]"
        assert (rows[name]["p"], rows[name]["p corrected"]) == (f"{apart.p:.4f}", f"{apart.corrected:.4f}")
    assert "rotate #" in str(estimates_table(found).title)


def test_slices_are_parts_of_the_table(place):
    (found,) = compared(place, by="side")
    table = estimates_table(found)
    assert list(filter(None, table.columns[0].cells)) == ["all", "tail", "head"]
    assert [row.end_section for row in table.rows] == [False, False, True] * 3
    assert "difference" not in [column.header for column in table.columns]


def test_relations_go_by_the_names_that_any_run_keeps(place, queries):
    assert [one.name for one in compared(place, by="relation")[0].slices[1:-1]] == [
        "relation 0", "relation 1", "relation 2",
    ]  # fmt: skip
    store(place / "rotate" / "0", queries["rotate"][0], "model=rotate", relations=["next", "kind of", "before"])
    (found,) = compared(place, by="relation")
    assert [one.name for one in found.slices[1:]] == [
        "relation next", "relation kind of", "relation before", "mean over 3 relations",
    ]  # fmt: skip


def test_older_runs_of_published_data_have_the_names_of_their_files(tmp_path, queries):
    """Where these are still those that were trained on."""
    graph = read_openke(embedded_dir(), "world_flags")
    prints = {"relations": key_fingerprint(graph.relations)}
    for name, parts in (("same", prints), ("other", {"relations": "0" * 64})):
        store(tmp_path / name / "run", queries["rotate"][0], "model=rotate", dataset="world_flags", prints=parts)
        (found,) = compared(tmp_path / name, by="relation", data_sets=tmp_path)
        labels = graph.relations.labels[:3] if name == "same" else ("0", "1", "2")
        assert [one.name for one in found.slices[1:-1]] == [f"relation {label}" for label in labels]


def test_relations_of_published_data_that_are_not_there_go_by_id(tmp_path, queries):
    store(tmp_path / "run", queries["rotate"][0], "model=rotate", dataset="MKG-Y")
    (found,) = compared(tmp_path, by="relation", data_sets=tmp_path / "data")
    assert [one.name for one in found.slices[1:-1]] == ["relation 0", "relation 1", "relation 2"]


def test_a_run_without_ranks_leaves_its_row_without_interval(place):
    (place / "rotate" / "1" / RANKS).unlink()
    (found,) = compared(place)
    rows = cells(comparison_table([found]))
    assert rows["rotate"]["MRR 95 %"] == ""
    assert rows["distmult"]["MRR 95 %"] != ""
    (note,) = notes([found])
    assert note.startswith(f"1 of 3 rows have no interval: beside their results lies no usable {RANKS}")


def test_without_any_ranks_there_is_no_column(place):
    for path in place.rglob(RANKS):
        path.unlink()
    (found,) = compared(place, by="side", against="rotate")
    assert found.slices == ()
    assert "MRR 95 %" not in [column.header for column in comparison_table([found]).columns]
    with pytest.raises(InputError, match="against=rotate: none of these rows has ranks"):
        notes([found], "rotate")


DAMAGES = {
    "cut": lambda path, run: path.write_bytes(path.read_bytes()[:-30]),
    "of another run": lambda path, run: write_ranks(path, {"test": ranked(run.optimistic + 1, run.cluster)}),
    "of another split": lambda path, run: write_ranks(path, {"valid": run}),
    "of fewer queries": lambda path, run: write_ranks(path, {"test": ranked(run.optimistic[:60], run.cluster[:60])}),
    "of other queries": lambda path, run: write_ranks(path, {"test": ranked(run.optimistic, run.cluster[::-1])}),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_ranks_that_do_not_belong_to_the_result_are_not_used(place, queries, damage, caplog):
    DAMAGES[damage](place / "distmult" / "0" / RANKS, queries["distmult"][0])
    (found,) = compared(place)
    assert [system.name for system in found.ranked] == ["rotate", "complex_n3 ComplEx"]
    (line,) = caplog.messages
    assert re.match(r"no interval for distmult #\w+: ", line)


def test_few_entities_are_noted(tmp_path):
    store(tmp_path / "a", ranked(np.arange(1, 21), np.arange(20) % 4))
    found = compared(tmp_path)
    assert notes(found) == ["the queries of Toy are about too few entities for an interval"]


def test_data_sets_of_one_name_are_compared_apart(place, queries):
    for part in ("train", "test"):
        store(place / part, queries["rotate"][0], "model=rotate", seed=5, prints={part: "changed"})
    store(place / "old", queries["rotate"][0], "model=rotate", seed=5, fingerprints={})
    found = compared(place, against="distmult")
    assert len(found) == 4
    table = comparison_table(found)
    assert sum(cell == "relation frequency" for cell in table.columns[1].cells) == 4
    said = notes(found, "distmult")
    labels = " and ".join(one.data.label for one in found)
    assert said[0] == f"{labels} differ in train, test"
    assert said[1] == "the results of Toy #unknown do not say which data they are of"
    assert [line for line in said[2:] if "distmult is no row of Toy #" in line] == said[2:]
    assert len(said) == 5


def test_nobody_of_that_name(place):
    with pytest.raises(InputError, match="against=transe: no row with ranks goes by that name; there are rotate #"):
        notes(compared(place, against="transe"), "transe")


def test_names_are_shown_as_they_are(tmp_path, capsys):
    queries = ranked(np.arange(1, 41), np.arange(40) % 20)
    store(tmp_path / "a", queries, system="[/x] mine", dataset="Mercury [planet]")
    (found,) = compared(tmp_path, by="side")
    for table in (comparison_table([found]), estimates_table(found)):
        show(table)
        printed = capsys.readouterr().out
        assert "[/x] mine" in printed
        assert "Mercury [planet]" in printed


def test_json_holds_everything(place, queries):
    found = compared(place, by="relation", against="rotate")
    write_comparison(place / "new" / "all.json", found)
    content = json.loads((place / "new" / "all.json").read_text())
    assert content == json.loads(json.dumps(as_json(found)))
    (data,) = content["data_sets"]
    assert (content["metric"], content["level"], content["split"]) == ("mrr", 0.95, "test")
    assert data["fingerprints"]["train"] == "train" * 8
    assert data["baseline"]["mrr"] == 0.1
    first, *_, last = data["systems"]
    assert data["against"] == first["system"]
    assert [run["seed"] for run in last["runs"]] == [0, 1, 2]
    assert last["runs"][0]["metrics"]["mrr"] == pytest.approx((1 / queries["complex_n3"][0].realistic).mean())
    names = [one["slice"] for one in last["slices"]]
    assert names == ["all", "relation 0", "relation 1", "relation 2", "mean over 3 relations"]
    estimate = found[0].slices[2].estimates[2]
    assert last["slices"][2]["value"] == estimate.value
    assert last["slices"][2]["difference"]["corrected"] == estimate.difference.corrected


def test_csv_has_a_line_per_system_metric_and_slice(place):
    found = compared(place, by="side", against="rotate")
    write_comparison(place / "all.csv", found)
    write_comparison(place / "all.tsv", found)
    lines = list(csv.DictReader((place / "all.csv").read_text().splitlines()))
    assert lines == list(csv.DictReader((place / "all.tsv").read_text().splitlines(), delimiter="\t"))
    assert tuple(lines[0]) == COLUMNS
    assert len(lines) == 3 * (4 + 2)
    for line in lines:
        assert bool(line["low"]) == (line["metric"] == "mrr")
        assert bool(line["p_corrected"]) == (line["metric"] == "mrr" and line["system"] != found[0].against.title)
    of_rotate = {(line["metric"], line["slice"]): line for line in lines if line["system"].startswith("rotate")}
    runs = [result["metrics"]["test"] for result in found[0].against.runs.values()]
    for metric in ("mrr", "hits@1", "hits@3", "hits@10"):
        values = [run[metric] for run in runs]
        assert float(of_rotate[metric, "all"]["value"]) == pytest.approx(np.mean(values))
        assert float(of_rotate[metric, "all"]["sd"]) == pytest.approx(np.std(values, ddof=1))
    assert of_rotate["mrr", "tail"]["queries"] == "60"
    assert of_rotate["mrr", "all"]["seeds"] == "0 1"


def test_csv_of_results_without_ranks_has_what_there_is(tmp_path):
    write_json(tmp_path / FILE_NAME, result({"mrr": 0.3, "hits@1": 0.2, "hits@3": 0.3, "hits@10": 0.5}))
    line = next(comparison_records(compared(tmp_path)))
    assert (line["metric"], line["value"], "low" in line) == ("mrr", 0.3, False)


@pytest.mark.parametrize("name", ["table.txt", "table", "folder.csv"])
def test_other_files_are_not_written(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match=r"must end in \.json, \.csv or \.tsv|folder\.csv is a folder; give a file"):
        require_kind(tmp_path / name)


# --- results that lack something, or hold something else -----------------------------------------------------------


READ = ("scorer", "encoder", "loss", "regularizer", "negatives", "generator", "missing", "trainer", "data")
"""Groups of settings that tables look into."""


def paths(node, depth):
    if depth and isinstance(node, dict):
        for key, child in node.items():
            yield (key,)
            yield from ((key, *rest) for rest in paths(child, depth - 1))


def changed(content, path, value):
    """A deep copy with one value left out or replaced."""
    copy = json.loads(json.dumps(content))
    *parents, last = path
    node = copy
    for key in parents:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value[0]
    return copy


def test_whatever_is_missing_or_mistaken_ends_no_table(tmp_path):
    """Every part of a result in turn is left out, and replaced: it is refused, or all tables can show it."""
    metrics = {"mrr": 0.3, "hits@1": 0.2, "hits@3": 0.3, "hits@10": 0.5}
    first = result(metrics, "missing=random")
    second = result(metrics, "missing=random", "missing.modalities=[visual]", "encoder.absent=mean")
    second["fingerprints"]["removed/visual"] = "mask"
    for run in (first, second):  # less to go through
        run["config"] = {key: value for key, value in run["config"].items() if key in READ or key in BUDGET}
    shown = refused = 0
    settings_of_first = settings(first["config"])
    for path in paths(second, 3):
        for value in (None, [None], [3], ["text"], [{"text": None}]):
            other = changed(second, path, value)
            try:
                require_usable(other, "test", tmp_path)
            except InputError:
                refused += 1
                continue
            shown += 1
            found = [(tmp_path / name / FILE_NAME, run) for name, run in (("first", first), ("second", other))]
            comparisons = [compare(data) for data in data_sets(found)]
            assert comparison_table(comparisons).row_count >= 2
            if len(path) < 3 and value in (None, ["text"]):  # hashing settings is slow
                assert missing_table(by_missing(found)).row_count >= 1
            assert len(differences([settings_of_first, settings(other["config"])])) == 2
            assert list(comparison_records(comparisons))
            assert notes(comparisons)
    assert shown > 250
    assert refused > 120
