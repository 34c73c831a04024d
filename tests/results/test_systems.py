"""Which results are a row, and which rows are of one data set."""

import pytest

from dhns.errors import InputError
from dhns.results.systems import data_sets
from results.stored import result

METRICS = {"mrr": 0.3, "hits@1": 0.2, "hits@3": 0.3, "hits@10": 0.5, "queries": 40.0}


def found(tmp_path, *results):
    return [(tmp_path / str(number) / "result.json", content) for number, content in enumerate(results)]


def run(mrr=0.3, *overrides, **changes):
    return result(METRICS | {"mrr": mrr}, *overrides, **changes)


def test_seeds_of_the_same_settings_are_a_row(tmp_path):
    (data,) = data_sets(found(tmp_path, run(0.3), run(0.5, seed=1), run(0.2, "scorer.dim=16")))
    assert [(system.seeds, system.values("test", "mrr")) for system in data.systems] == [
        ([0], [0.2]),
        ([0, 1], [0.3, 0.5]),
    ]
    assert [system.name for system in data.systems] == ["dhns RotatE scorer.dim=16", "dhns RotatE scorer.dim=8"]
    assert data.baseline["mrr"] == 0.1


@pytest.mark.parametrize("part", ["train", "valid", "test", "filter_only", "entities", "relations"])
def test_other_data_of_the_same_name_are_another_data_set(tmp_path, part):
    first, second = data_sets(found(tmp_path, run(), run(seed=1, prints={part: "changed"}), run(seed=2)))
    assert first.name == second.name == "Toy"
    assert first.label != second.label
    assert all(label.startswith("Toy #") and len(label) == 13 for label in (first.label, second.label))
    assert sorted(len(data.results) for data in (first, second)) == [1, 2]


def test_labels_have_fingerprints_only_where_names_do_not_do(tmp_path):
    labels = [data.label for data in data_sets(found(tmp_path, run(), run(dataset="Another")))]
    assert labels == ["Another", "Toy"]


def test_results_without_fingerprints_stand_apart(tmp_path):
    plain, unknown = data_sets(found(tmp_path, run(), run(seed=1, fingerprints={})))
    assert plain.label.startswith("Toy #")
    assert unknown.label == "Toy #unknown"
    absent = run()
    del absent["fingerprints"]
    assert [data.label for data in data_sets(found(tmp_path, absent))] == ["Toy"]


def test_other_features_are_another_row_and_told(tmp_path):
    texts = [{"modality/textual": digest * 8} for digest in ("aa", "bb")]
    (data,) = data_sets(found(tmp_path, run(0.1, prints=texts[0]), run(0.2, prints=texts[1], seed=1), run(0.3, seed=2)))
    assert [system.name for system in data.systems] == [
        "dhns RotatE modality/textual=#aaaaaaaa",
        "dhns RotatE modality/textual=#bbbbbbbb",
        "dhns RotatE modality/textual=#none",
    ]
    assert data.systems[0].features == texts[0]


def test_a_seed_counts_once(tmp_path, caplog):
    (data,) = data_sets(found(tmp_path, run(0.3), run(0.4), run(0.5, seed=1)))
    (system,) = data.systems
    assert system.values("test", "mrr") == [0.3, 0.5]
    assert [record.getMessage() for record in caplog.records] == [
        f"left out: {tmp_path / '1'} repeats seed 0 of {tmp_path / '0'}"
    ]


def test_settings_are_told_only_among_rows_that_look_alike(tmp_path):
    (data,) = data_sets(found(tmp_path, run(0.1), run(0.2, "negatives=uniform"), run(0.3, "model=rotate")))
    assert [system.name for system in data.systems] == ["dhns RotatE", "dhns RotatE", "rotate"]
    assert [system.negatives for system in data.systems] == ["bernoulli", "uniform", "bernoulli"]


def test_systems_go_by_hash_name_and_model(tmp_path):
    (data,) = data_sets(found(tmp_path, run(0.1, "model=rotate"), run(0.2), run(0.3, "ablation=no_hal")))
    rotate, plain, ablated = data.systems
    for name in ("rotate", f"#{rotate.config_hash}", rotate.config_hash, rotate.title):
        assert data.named(name) is rotate
    assert data.named("dhns RotatE no_hal") is ablated
    assert data.named("dhns RotatE") is plain
    assert data.named("transe") is None
    with pytest.raises(
        InputError, match=rf"dhns may be any of 2 rows of Toy \(#{plain.config_hash}, #{ablated.config_hash}\)"
    ):
        data.named("dhns")
