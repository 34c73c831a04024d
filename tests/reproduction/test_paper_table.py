"""Numbers of a table are those of its result files, and what is not there is not invented."""

import json

import pytest

from dhns.errors import InputError
from dhns.experiments.reproduction.paper_table import Entry, paper_table
from reproduction.fakes import cell, settings, store


def fill(of, *scores, **changes):
    """Results for the runs of a cell, in the order of its seeds; None leaves one out."""
    for run, mrr in zip(of.runs, scores, strict=True):
        if mrr is not None:
            store(run, mrr, **changes)
    return of


def only_section(outputs, cells, **changes):
    (section,) = paper_table(settings(outputs, **changes), cells).sections
    return section


def row(section, label):
    (found,) = [row for row in section.rows if row.label == label]
    return found


def test_mean_deviation_and_difference(tmp_path):
    table = [fill(cell(tmp_path, "a", published={"mrr": 31.5, "hits@1": 10.0}, seeds=(0, 1, 2)), 0.25, 0.3, 0.35)]
    entries = row(only_section(tmp_path, table), "a").entries
    # mean 30, squares of deviations 25 + 0 + 25 over n - 1 = 2
    assert entries["mrr"].mean == pytest.approx(30.0)
    assert entries["mrr"].sd == pytest.approx(5.0)
    assert entries["mrr"].difference == pytest.approx(-1.5)
    assert entries["hits@1"].difference == pytest.approx(5.0)
    assert row(only_section(tmp_path, table), "a").seeds == (0, 1, 2)


def test_one_seed_has_no_deviation(tmp_path):
    section = only_section(tmp_path, [fill(cell(tmp_path, "a"), 0.25)])
    assert row(section, "a").entries["mrr"] == Entry(25.0, None, None, 1)
    assert row(section, "a").folders == ("a/seed-0",)


def test_a_cell_without_a_run_is_empty(tmp_path):
    table = [fill(cell(tmp_path, "a"), 0.25), cell(tmp_path, "b", published={"mrr": 31.5})]
    section = only_section(tmp_path, table)
    assert row(section, "b").entries == {"mrr": Entry(published=31.5), "hits@1": Entry()}
    assert row(section, "b").notes == ()


def test_without_any_run_there_is_no_baseline(tmp_path):
    section = only_section(tmp_path, [cell(tmp_path, "a", published={"mrr": 31.5})])
    assert [row.label for row in section.rows] == ["a"]
    assert section.facts == {}


def test_the_first_row_learns_nothing(tmp_path):
    section = only_section(tmp_path, [fill(cell(tmp_path, "a"), 0.005)])
    assert section.rows[0].label == "relation frequency (learns nothing)"
    assert section.rows[0].entries == {"mrr": Entry(1.0), "hits@1": Entry(0.0)}
    assert row(section, "a").entries["mrr"].place == 1, "of the methods, though it is worse than what learns nothing"


@pytest.mark.parametrize(
    ("scores", "places"),
    [
        ([0.1, 0.3, 0.2], [0, 1, 2]),
        ([0.3, 0.3, 0.2], [1, 1, 2]),
        ([0.2, 0.3, 0.2], [2, 1, 2]),
        ([0.30001, 0.3, 0.2], [1, 1, 2]),  # equal as printed, 30.00
        ([0.3001, 0.3, 0.2], [1, 2, 0]),
        ([0.09, 0.2, 0.1], [0, 1, 2]),  # by value, not by text
        ([None, 0.1, None], [0, 1, 0]),
    ],
)
def test_best_and_second_best_of_a_column(tmp_path, scores, places):
    table = [fill(cell(tmp_path, name), score) for name, score in zip("abc", scores, strict=True)]
    section = only_section(tmp_path, table)
    assert [row(section, name).entries["mrr"].place for name in "abc"] == places


def test_every_data_set_is_a_section_of_its_own(tmp_path):
    table = [fill(cell(tmp_path, "a", dataset=dataset), mrr) for dataset, mrr in (("Toy", 0.1), ("Other", 0.2))]
    sections = paper_table(settings(tmp_path), table).sections
    assert [section.dataset for section in sections] == ["Toy", "Other"]
    assert [row(section, "a").entries["mrr"].place for section in sections] == [1, 1]


def test_a_failed_row_says_why(tmp_path):
    failed = cell(tmp_path, "a", seeds=(0, 1, 2))
    for run in failed.runs[1:]:
        run.folder.mkdir(parents=True)
        run.failure_file.write_text(json.dumps({"reason": "no visual features", "exit_status": 2, "log": []}))
    fill(failed, 0.25, None, None)
    expected = ("failed (seed 1, 2): no visual features", "1 of 3 seeds")
    assert row(only_section(tmp_path, [failed]), "a").notes == expected


def test_a_result_outlives_an_earlier_failure(tmp_path):
    done = fill(cell(tmp_path, "a"), 0.25)
    done.runs[0].failure_file.write_text(json.dumps({"reason": "no visual features"}))
    assert row(only_section(tmp_path, [done]), "a").notes == ()


def test_a_row_says_what_it_had_to_go_without(tmp_path):
    table = [fill(cell(tmp_path, "a"), 0.25, modalities_missing=["visual"]), fill(cell(tmp_path, "b"), 0.2)]
    section = only_section(tmp_path, table)
    assert row(section, "a").notes == ("trained without visual features, which the method uses and the data lack",)
    assert row(section, "b").notes == ()


def test_what_the_numbers_rest_on_is_said(tmp_path):
    table = [fill(cell(tmp_path, "a"), 0.25, protocol={"name": "clean", "notes": ["validation carved out of train"]})]
    said = paper_table(settings(tmp_path, seeds=[0, 1, 1]), table)
    assert (said.facts["protocol"], said.facts["budget"], said.facts["seeds"]) == ("clean", "full", "0, 1")
    assert said.facts["versions"] == "dhns 0.1.0, torch 2.13.0, pytorch-lightning ?, python 3.11.7"
    facts = said.sections[0].facts
    assert facts["splits"] == "train #abababab, test #cdcdcdcd"
    assert facts["features"] == "textual text.safetensors #efefefef"
    assert facts["protocol notes"] == "validation carved out of train"


@pytest.mark.parametrize(("budget", "warned"), [("smoke", True), ("short", True), ("full", False)])
def test_short_training_is_said_aloud(tmp_path, budget, warned):
    warning = paper_table(settings(tmp_path, budget=budget), [cell(tmp_path, "a")]).warning
    assert (warning is not None) == warned
    assert not warned or f"CUT SHORT (budget: {budget})" in warning


@pytest.mark.parametrize("part", ["train", "test", "modality/textual"])
def test_runs_of_different_graphs_are_not_mixed(tmp_path, part):
    others = {"train": "ab" * 32, "test": "cd" * 32, "modality/textual": "ef" * 32} | {part: "12" * 32}
    table = [fill(cell(tmp_path, "a"), 0.1), fill(cell(tmp_path, "b"), 0.2, fingerprints=others)]
    with pytest.raises(InputError, match=f"differ in '{part}' of Toy: .*a/seed-0 has .*b/seed-0 12121212;"):
        paper_table(settings(tmp_path), table)


def test_a_row_may_leave_a_modality_out(tmp_path):
    without = {
        "fingerprints": {"train": "ab" * 32, "test": "cd" * 32},
        "config": {"dataset": {"modalities": {"textual": None}}},
    }
    table = [fill(cell(tmp_path, "a"), 0.1), fill(cell(tmp_path, "b"), 0.2, **without)]
    assert only_section(tmp_path, table).facts["features"] == "textual text.safetensors #efefefef"


def test_a_control_has_features_of_its_own_and_says_so(tmp_path):
    modalities, note = {"textual": "text.safetensors"}, "textual features permuted among the 9 entities that have them"
    control = {
        "fingerprints": {"train": "ab" * 32, "test": "cd" * 32, "modality/textual": "12" * 32},
        "config": {"dataset": {"modalities": modalities}, "features": {"kind": "shuffled", "seed": 0}},
        "protocol": {"name": "clean", "notes": [note]},
    }
    table = [fill(cell(tmp_path, "a"), 0.1), fill(cell(tmp_path, "b"), 0.2, **control)]
    section = only_section(tmp_path, table)
    told = "textual text.safetensors #efefefef, textual (shuffled, seed 0) text.safetensors #12121212"
    assert section.facts["features"] == told
    assert "protocol notes" not in section.facts
    assert (row(section, "a").notes, row(section, "b").notes) == ((), (note,))
    control["fingerprints"] = control["fingerprints"] | {"modality/textual": "34" * 32}
    table.append(fill(cell(tmp_path, "c"), 0.2, **control))
    with pytest.raises(InputError, match=r"b/seed-0 has 12121212, .*c/seed-0 34343434"):
        paper_table(settings(tmp_path), table)


@pytest.mark.parametrize("changes", [{"config_hash": "ffffffff"}, {"seed": 7}])
def test_results_of_other_settings_are_refused(tmp_path, changes):
    table = [fill(cell(tmp_path, "a"), 0.1, **changes)]
    with pytest.raises(InputError, match=r"a/seed-0/result.json is of other settings \(.*run again"):
        paper_table(settings(tmp_path), table)
