"""What a tracked run leaves, read back from its files."""

import csv
import json
import math

import pytest
import wandb

from commands.shell import TRAIN, only_result, program, succeed, write_graph
from dhns.training.module import LinkPredictionModule
from tracking import offline_run

SECRET = "5ec4e7" * 7
EMBEDDED = (
    "train", "model=dhns", "dataset=world_flags", "scorer.dim=8", "negatives.num_negatives=4",
    "trainer.max_epochs=2", "trainer.check_val_every_n_epoch=1", "data.valid_triples=20", "trainer.accelerator=cpu",
    "optimization.scheduler={_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.5}",
)  # fmt: skip


@pytest.fixture(scope="module")
def tracked(tmp_path_factory):
    """A run on the embedded data set, with a key that it must not use: folder, result, records, what was printed."""
    folder = tmp_path_factory.mktemp("tracked")
    out = succeed(folder, *EMBEDDED, "logger=wandb", "run_dir=run", DHNS_WANDB_OFFLINE="true", WANDB_API_KEY=SECRET)
    _, result = only_result(folder)
    return folder, result, offline_run.read(folder / "run"), out


@pytest.fixture
def place(tmp_path):
    write_graph(tmp_path / "graph")
    return tmp_path


def test_identity(tracked):
    _, result, found, _ = tracked
    (run,) = found["run"]
    assert run.run_id == f"{result['config_hash']}-0"
    assert run.resume
    assert run.run_group == f"dhns-full-world_flags-{result['config_hash']}"
    assert run.display_name == "dhns-full-world_flags-s0"
    assert run.job_type == "train"
    assert list(run.tags) == ["dhns", "full", "world_flags", "clean", "budget-full"]


def test_config_and_fingerprints(tracked):
    _, result, found, _ = tracked
    config = offline_run.config(found)
    assert config["config_hash"] == result["config_hash"]
    assert config["fingerprints"] == result["fingerprints"]
    assert {"train", "modality/visual"} <= config["fingerprints"].keys()
    assert config["scorer"]["dim"] == 8
    assert config["trainer"]["max_epochs"] == 2


def test_curves_of_both_optimizers(tracked):
    _, _, found, _ = tracked
    rows = offline_run.history(found)
    assert [row["epoch"] for row in rows] == [0, 1], "a row per epoch"
    for row in rows:
        assert all(math.isfinite(row[key]) for key in ("train/loss", "train/loss_diffusion", "valid/mrr"))
    assert [row["lr/generator"] for row in rows] == pytest.approx([1e-3, 1e-3])
    assert rows[1]["lr/model"] == pytest.approx(rows[0]["lr/model"] / 2), "only the model's has a schedule"
    assert any(metric.glob_name == "*" and metric.step_metric == "epoch" for metric in found["metric"])


def test_histograms(tracked):
    _, result, found, _ = tracked
    row = offline_run.history(found)[-1]
    levels = [f"level_{time}" for time in (0.05, 0.1, 0.2, 0.5)]
    for name in ("true", "sampled", *levels, "level_0.05/visual"):
        key = f"hardness/{name}"
        counts, bins = row[f"{key} values"], row[f"{key} bins"]
        assert row[f"{key} _type"] == "histogram"
        assert len(bins) == len(counts) + 1
        assert bins == sorted(bins)
    assert sum(row["hardness/true values"]) == 506, "every validation triple"
    assert result["generated"]["mean_scores"].keys() >= set(levels)


def test_predictions(tracked):
    folder, _, found, _ = tracked
    row = offline_run.history(found)[-1]
    assert row["predictions _type"] == "table-file"
    (path,) = (folder / "run").glob(f"wandb/offline-run-*/files/{row['predictions path']}")
    table = json.loads(path.read_text(encoding="utf-8"))
    assert table["columns"] == ["query", "true answer", "rank", "answer", "score", "known fact"]
    assert len(table["data"]) == 8 * 2 * 10
    for first in range(0, len(table["data"]), 10):
        answers = table["data"][first : first + 10]
        assert len({answer[0] for answer in answers}) == 1
        assert [answer[2] for answer in answers] == list(range(1, 11))
        scores = [answer[4] for answer in answers]
        assert scores == sorted(scores, reverse=True)
        for query, true, _, answer, _, known in answers:
            assert query.count("?") == 1
            assert (answer != true) or "valid" in known, "what is asked for is a validation triple"


def test_summary_is_the_result(tracked):
    _, result, found, _ = tracked
    summary = offline_run.summary(found)
    for split, metrics in result["metrics"].items():
        assert {key: summary[f"final/{split}/{key}"] for key in metrics} == pytest.approx(metrics, rel=1e-12)
    assert summary["parameters/generator"] == result["parameters"]["generator"]
    assert summary["epochs"] == 2
    (end,) = found["exit"]
    assert end.exit_code == 0


def test_no_secret_is_written(tracked):
    folder, _, _, printed = tracked
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in written)
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
    assert SECRET not in printed


def test_tracking_changes_no_number(place):
    found = []
    for logger in ("none", "csv"):
        succeed(place, *TRAIN, f"logger={logger}", "run_dir=run", "force=true")
        result = only_result(place)[1]
        found.append((result["metrics"], result["generated"], result["batches"]))
    assert found[0] == found[1]


def test_csv_shows_the_same(place):
    succeed(place, *TRAIN, "logger=csv", "run_dir=run", "protocol.select=last_epoch")
    log, tables = place / "run" / "log" / "version_0", {}
    for name in ("metrics", "histograms", "predictions"):
        with (log / f"{name}.csv").open(newline="", encoding="utf-8") as file:
            tables[name] = list(csv.DictReader(file))
    assert {"lr/model", "lr/generator", "train/loss_diffusion", "final/test/mrr"} <= tables["metrics"][0].keys()
    quantiles = next(row for row in tables["histograms"] if row["name"] == "hardness/level_0.05")
    assert float(quantiles["min"]) <= float(quantiles["median"]) <= float(quantiles["max"])
    assert {row["true answer"] for row in tables["predictions"]} <= {row["answer"] for row in tables["predictions"]}


def test_tensorboard_shows_the_same(place):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    succeed(place, *TRAIN, "logger=tensorboard", "run_dir=run")
    events = EventAccumulator(str(place / "run" / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert {"train/loss", "train/loss_diffusion", "lr/generator", "final/test/mrr"} <= set(tags["scalars"])
    assert {"hardness/true", "hardness/level_0.5"} <= set(tags["histograms"])
    assert events.Scalars("final/test/mrr")[0].value == pytest.approx(only_result(place)[1]["metrics"]["test"]["mrr"])
    text = events.Tensors("predictions/text_summary")[0].tensor_proto.string_val[0].decode()
    assert [cell.strip() for cell in text.splitlines()[0].split("|")[1:3]] == ["query", "true answer"]


def test_a_resumed_run_continues_its_own(place, monkeypatch):
    step = LinkPredictionModule.training_step

    def interrupted(module, batch, batch_idx):
        if module.batches_seen == 5:  # in the second epoch
            raise RuntimeError("killed")
        return step(module, batch, batch_idx)

    arguments = (*TRAIN, "logger=wandb", "run_dir=run", "trainer.max_epochs=3")
    with monkeypatch.context() as patch:
        patch.setattr(LinkPredictionModule, "training_step", interrupted)
        with pytest.raises(RuntimeError, match="killed"):
            program(place, *arguments)
    succeed(place, *arguments)
    paths = sorted(place.glob("run/wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)
    first, second = map(offline_run.records, paths)
    assert first["run"][0].run_id == second["run"][0].run_id == f"{only_result(place)[1]['config_hash']}-0"
    assert (first["exit"][0].exit_code, second["exit"][0].exit_code) == (1, 0)
    rows = {row["_step"]: row["epoch"] for found in (first, second) for row in offline_run.history(found)}
    assert rows == {2: 0, 5: 1, 8: 2}


def test_without_a_key_a_run_is_offline_in_one_line(place):
    printed = succeed(place, *TRAIN, "model=rotate", "logger=wandb", "run_dir=run")
    lines = [line for line in printed.splitlines() if "wandb" in line.lower() or "Weights & Biases" in line]
    assert len(lines) == 1
    assert "no API key, run kept offline; to send it: wandb sync run/wandb/offline-run-" in lines[0]


@pytest.mark.parametrize("error", [RuntimeError("broken"), TimeoutError("too slow")])
def test_a_run_ends_well_without_its_tracker(place, monkeypatch, error):
    def init(**_):
        raise error

    monkeypatch.setattr(wandb, "init", init)
    printed = succeed(place, *TRAIN, "model=rotate", "logger=wandb", "run_dir=run")
    assert only_result(place)[1]["metrics"]["test"]["mrr"] > 0
    (told,) = [line for line in printed.splitlines() if "tracking" in line]
    assert told.endswith(f"the run goes on ({type(error).__name__}: {error})")
