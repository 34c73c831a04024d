"""Result files are whole or absent, and say what is wrong with them; a run's identity is its settings."""

import functools
import json

import pytest
from omegaconf import OmegaConf

from builders import composed
from dhns.config.identity import RESULT_VERSION, config_hash
from dhns.config.renamed import present_settings
from dhns.errors import InputError
from dhns.files import write_json
from dhns.results.store import FILE_NAME, find_results, read_result, versions
from results.stored import result

METRICS = {"mrr": 0.3, "hits@1": 0.2, "hits@3": 0.3, "hits@10": 0.5}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / FILE_NAME


def test_what_is_written_is_read(path):
    content = {"version": RESULT_VERSION, "name": "Åland", "metrics": {"mrr": 0.25}}
    write_json(path, content)
    assert read_result(path) == content
    assert "Åland" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()], ids=["nan", "inf", "object"])
@pytest.mark.parametrize("old", [None, '{"version": 1}'])
def test_a_failed_write_leaves_what_was_there(path, old, bad):
    path.parent.mkdir()
    if old:
        path.write_text(old)
    with pytest.raises((ValueError, TypeError)):
        write_json(path, {"fine": list(range(10_000)), "bad": bad})
    assert [p.read_text() for p in path.parent.iterdir()] == ([old] if old else [])


def test_a_crash_while_writing_leaves_what_was_there(path, monkeypatch):
    write_json(path, {"version": RESULT_VERSION})

    def crash(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        write_json(path, {"version": RESULT_VERSION, "new": True})
    assert read_result(path) == {"version": RESULT_VERSION}
    assert list(path.parent.iterdir()) == [path]


def test_missing_results_are_named(path):
    with pytest.raises(InputError, match=rf"cannot read the result file .*{FILE_NAME}"):
        read_result(path)


@pytest.mark.parametrize("text", ["", '{"version": 1, "metr', "not json"])
def test_damaged_results_are_named(path, text):
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(InputError, match=r"is not a result file: .*delete it and run again"):
        read_result(path)


@pytest.mark.parametrize("content", [{"version": RESULT_VERSION + 1}, {}])
def test_results_of_other_versions_are_refused(path, content):
    write_json(path, content)
    with pytest.raises(InputError, match=f"this program {RESULT_VERSION}"):
        read_result(path)


@pytest.mark.parametrize("content", [[1, 2], "text", 3])
def test_json_that_is_no_result_is_refused(path, content):
    path.parent.mkdir()
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not a result file"):
        read_result(path)


def test_results_are_found_in_path_order(tmp_path):
    for name in ("b/seed-1", "a", "b/seed-0"):
        write_json(tmp_path / name / FILE_NAME, result(METRICS, name=name))
    (tmp_path / "c").mkdir()
    found = find_results(tmp_path)
    assert [content["name"] for _, content in found] == ["a", "b/seed-0", "b/seed-1"]
    assert [path for path, _ in found] == [tmp_path / name / FILE_NAME for name in ("a", "b/seed-0", "b/seed-1")]


FOREIGN = {
    "": "is not a result file",
    '{"version": 1, ': "is not a result file",
    "[" * 100_000: "is not a result file",
    "[]": "it holds no object",
    "{}": "result version None",
    '{"version": 2}': "result version 2",
    '{"version": 1}': "it lacks 'system'",
}


@pytest.mark.parametrize("text", FOREIGN, ids=lambda text: text[:15])
def test_a_foreign_file_is_left_out_with_a_line(tmp_path, caplog, text):
    for name in ("a", "b"):
        write_json(tmp_path / name / FILE_NAME, result(METRICS))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / FILE_NAME).write_text(text)
    assert [path.parent.name for path, _ in find_results(tmp_path)] == ["a", "b"]
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    line = record.getMessage()
    assert line.startswith(f"left out: {tmp_path / 'foreign' / FILE_NAME} ")
    assert FOREIGN[text] in line
    assert "\n" not in line
    for name in ("a", "b"):
        (tmp_path / name / FILE_NAME).unlink()
    with pytest.raises(InputError, match=FOREIGN[text]):
        find_results(tmp_path)


def test_a_folder_of_foreign_files_says_how_many(tmp_path):
    for name in "abc":
        write_json(tmp_path / name / FILE_NAME, {"version": RESULT_VERSION})
    with pytest.raises(InputError, match=r"a/result.json is no result of a run: .* \(and 2 more are of no use\)"):
        find_results(tmp_path)


def test_results_without_metrics_of_the_split_are_left_out(tmp_path, caplog):
    write_json(tmp_path / "a" / FILE_NAME, result(METRICS))
    write_json(tmp_path / "b" / FILE_NAME, result(METRICS, metrics={"valid": METRICS}))
    assert [path.parent.name for path, _ in find_results(tmp_path, "valid")] == ["b"]
    assert caplog.messages == [f"left out: {tmp_path / 'a' / FILE_NAME} has no valid metrics"]


MISTAKEN = {
    "system": None,
    "seed": "0",
    "config": [],
    "config.encoder": "structural",
    "config.missing": {"share": "half"},
    "config.trainer": None,
    "protocol": {},
    "fingerprints": {"train": 7},
    "metrics.test": {"mrr": 0.3},
    "metrics.test.hits@3": float("nan"),
    "metrics.test.mrr": "0.3",
    "baseline.test": {"mrr": True},
    "time.train_s": "long",
}


@pytest.mark.parametrize(("key", "value"), MISTAKEN.items(), ids=list(MISTAKEN))
def test_what_is_wrong_is_named(tmp_path, key, value):
    content = result(METRICS)
    *parents, last = key.split(".")
    functools.reduce(lambda node, name: node[name], parents, content)[last] = value
    path = tmp_path / FILE_NAME
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=f"is no result of a run: .*{key.split('.')[0].rstrip('s')}"):
        find_results(tmp_path)


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_finding_nothing_says_what_to_do(tmp_path, folder):
    with pytest.raises(InputError, match="dhns train"):
        find_results(tmp_path / folder)


def test_versions_name_what_numbers_depend_on():
    assert {"python", "machine", "torch", "pytorch-lightning", "dhns"} <= set(versions())


@pytest.mark.parametrize(
    "override",
    [
        "seed=4",
        "run_dir=/elsewhere",
        "paths.data=/elsewhere",
        "paths.outputs=/elsewhere",
        "progress=false",
        "force=true",
        "logger=none",
        "trainer.accelerator=cpu",
        "trainer.log_every_n_steps=7",
        "trainer.enable_model_summary=true",
        "budgets.short.epochs=7",
        "budgets.smoke.validations=7",
        "budgets.short.valid_triples=7",
    ],
)
def test_hash_ignores_what_changes_no_number(override):
    assert config_hash(composed(override)) == config_hash(composed())


@pytest.mark.parametrize(
    "override",
    [
        "scorer.dim=16",
        "scorer=transe",
        "encoder=structural",
        "negatives=uniform",
        "negatives.num_negatives=5",
        "loss.temperature=0.123",
        "regularizer=n3",
        "optimization.optimizer.lr=0.123",
        "optimization.clip_norm=0.123",
        "generator=paper",
        "generator.weight=0.123",
        "generator.every=2",
        "generator.levels=[{time: 0.3}]",
        "generator.model.schedule.steps=21",
        "ablation=no_hal",
        "data.batch_size=9",
        "stopping.patience=7",
        "trainer.max_epochs=7",
        "budget=short",
        "budgets.full.epochs=7",
        "budgets.full.validations=7",
        "budgets.full.valid_triples=7",
        "data.valid_triples=7",
        "trainer.precision=bf16-mixed",
        "dataset.name=other",
        "protocol.select=last_epoch",
        "missing=random",
        "encoder.absent=mean",
        "generator.model.int8=true",
        "acceleration=gpu",
    ],
)
def test_hash_tells_settings_apart(override):
    add = "" if override.split("=")[0] in ("ablation",) or override.count(".") == 0 else "++"
    assert config_hash(composed(add + override)) != config_hash(composed())


def test_hash_of_a_configuration_that_names_its_cell_of_a_table():
    older = OmegaConf.to_container(composed(), resolve=False)
    older["cell"] = {"row": "TransE", "published": {"mrr": 29.19}}
    assert config_hash(OmegaConf.create(older)) == config_hash(composed())


def test_hash_is_of_what_a_budget_comes_to():
    by_budget = composed(
        "budget=short", "budgets.short.epochs=30", "budgets.short.validations=6", "budgets.short.valid_triples=90"
    )
    directly = composed("trainer.max_epochs=30", "trainer.check_val_every_n_epoch=5", "data.valid_triples=90")
    assert config_hash(by_budget) == config_hash(directly)


def test_hash_of_a_stored_configuration_is_that_of_its_run():
    config = composed("budget=short")
    stored = json.loads(json.dumps(OmegaConf.to_container(config, resolve=False)))
    assert config_hash(OmegaConf.create(stored)) == config_hash(config)


def test_hash_of_a_configuration_from_before_budgets():
    """Results that were stored without them, or with a map for each, can be compared with settings of today."""
    set_by_them = ("trainer.max_epochs=60", "trainer.check_val_every_n_epoch=5", "data.valid_triples=null")
    config = composed(*set_by_them, "stopping.patience=5")
    older = OmegaConf.to_container(config, resolve=False)
    del older["budgets"]
    assert config_hash(OmegaConf.create(older | {"epochs": {"full": 60}})) == config_hash(config)
    del older["budget"]
    assert config_hash(OmegaConf.create(older)) == config_hash(config)


def test_hash_of_a_configuration_from_before_missing_modalities():
    config = composed("missing=none", "encoder.absent=mask")
    older = OmegaConf.to_container(config, resolve=False)
    del older["missing"], older["encoder"]["absent"]
    assert config_hash(OmegaConf.create(older)) == config_hash(config)


def test_hash_of_a_configuration_from_before_acceleration():
    config = composed()
    older = OmegaConf.to_container(config, resolve=False)
    del older["acceleration"], older["generator"]["model"]["int8"], older["generator"]["every"]
    assert config_hash(OmegaConf.create(older)) == config_hash(config)


@pytest.mark.parametrize("override", ["generator=default", "generator=none", "generator=gaussian", "model=adamf_mat"])
def test_hash_of_a_configuration_from_before_generators_were_a_group(override):
    config = composed(override)
    older = OmegaConf.to_container(config, resolve=False)
    older["diffheg"] = older.pop("generator")
    if "model" in older["diffheg"]:
        older["diffheg"]["generator"] = older["diffheg"].pop("model")
    assert config_hash(OmegaConf.create(older)) == config_hash(config)
    assert present_settings(older) == OmegaConf.to_container(config, resolve=False)


@pytest.mark.parametrize("former", ["dhns.diffheg.generator.DiffHEG", "dhns.generators.diffheg.generator.DiffHEG"])
def test_settings_that_name_the_generator_as_it_was_called_are_those_of_today(former):
    config = composed("negatives=grounded")
    older = OmegaConf.to_container(config, resolve=False)
    older["generator"]["model"]["_target_"] = older["negatives"]["generator"]["_target_"] = former
    assert config_hash(OmegaConf.create(older)) == config_hash(config)
    assert present_settings(older) == OmegaConf.to_container(config, resolve=False)


@pytest.mark.parametrize("generator", ["none", "gaussian"])
def test_hash_needs_no_denoiser(generator):
    assert len(config_hash(composed(f"generator={generator}"))) == 8


def test_hash_is_the_folder_of_a_run():
    first, second = (composed("paths.outputs=/out", f"seed={seed}") for seed in (0, 1))
    folder, _, seed = first.run_dir.rpartition("/")
    assert folder.endswith(f"-{config_hash(first)}")
    assert (folder, seed) == (second.run_dir.rpartition("/")[0], "seed-0")
