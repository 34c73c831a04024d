"""The program from end to end."""

import contextlib
import csv
import json
import math
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import dhns
from commands.shell import (
    DATA,
    ENTITIES,
    LABELS,
    MODALITIES,
    RELATIONS,
    SMALL,
    SPLITS,
    TRAIN,
    only_result,
    program,
    refused,
    results,
    succeed,
    write_graph,
)
from dhns.cli import COMMANDS
from dhns.results.ranks import read_ranks
from dhns.training.module import LinkPredictionModule

# --- help ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_the_commands(tmp_path, argument):
    printed = succeed(tmp_path, *argument)
    assert all(command in printed for command in COMMANDS)


def test_version(tmp_path):
    assert succeed(tmp_path, "--version").strip() == dhns.__version__


def test_unknown_command(tmp_path):
    ended = program(tmp_path, "trian")
    assert ended.code == 2
    assert ended.err.startswith("error: there is no command 'trian'")
    assert "usage" in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(tmp_path, command):
    assert "Configuration groups" in succeed(tmp_path, command, "--help") or command in ("evaluate", "predict")


def test_settings_can_be_printed(tmp_path):
    printed = succeed(tmp_path, *TRAIN, "--cfg", "job")
    assert "scorer:" in printed
    assert not (tmp_path / "outputs").exists()


# --- train ---------------------------------------------------------------------------------------------------------

FIELDS = {
    "version", "system", "ablated", "dataset", "config_hash", "seed", "config", "protocol", "fingerprints", "metrics",
    "baseline", "generated", "parameters", "epochs", "batches", "checkpoint", "time", "peak_memory_mib", "threads",
    "device", "versions",
}  # fmt: skip
SLICES = ("", "head/", "tail/", "optimistic/", "pessimistic/", "1-1/", "N-1/", "seen/", "unseen/")


def numbers(node):
    if isinstance(node, dict):
        return [value for child in node.values() for value in numbers(child)]
    return [node] if isinstance(node, int | float) else []


def check_result(result):
    assert result.keys() >= FIELDS
    assert all(math.isfinite(value) for value in numbers(result))
    for split in ("valid", "test"):
        assert result["metrics"][split].keys() >= {"mrr", "hits@1", "hits@3", "hits@10", "mr", "amri", "queries"}
        assert result["metrics"][split]["queries"] == 2 * len(SPLITS[split])
        assert 0 < result["baseline"][split]["mrr"] <= 1
    test = result["metrics"]["test"]
    assert all(f"{part}mrr" in test for part in SLICES)
    assert test["pessimistic/mrr"] <= test["mrr"] <= test["optimistic/mrr"]
    assert test["mrr"] == pytest.approx((test["head/mrr"] + test["tail/mrr"]) / 2)
    assert result["protocol"]["name"] == "clean"
    assert result["fingerprints"].keys() >= {"train", "valid", "test", "entities", "relations"}
    assert result["versions"].keys() >= {"python", "torch", "pytorch-lightning", "hydra-core"}
    assert result["time"]["train_s"] > 0
    assert result["peak_memory_mib"] > 10
    assert result["config"]["scorer"]["dim"] == 4
    assert result["epochs"] == 2
    assert result["batches"] == 6


def test_train_dhns(trained):
    folder, _ = trained
    path, result = only_result(folder)
    check_result(result)
    assert (result["system"], result["ablated"], result["seed"], result["dataset"]) == ("dhns", "full", 0, "mine")
    levels = [f"level_{time}" for time in (0.05, 0.1, 0.2, 0.5)]
    assert {"true", "sampled", *levels} <= result["generated"]["mean_scores"].keys()
    diagnostics = result["generated"]["diagnostics"]
    assert all({f"{level}/gradient", f"{level}/loss_share"} <= diagnostics.keys() for level in levels)
    assert all(f"{level}/{view}/score" in diagnostics for level in levels for view in ("structure", "textual"))
    assert {f"modality/{name}" for name in ("textual", "visual")} <= result["fingerprints"].keys()
    assert (path.parent / "hardness.png").read_bytes().startswith(b"\x89PNG")
    assert (path.parent / result["checkpoint"]).is_file()


def test_the_ranks_of_a_run_give_its_metrics(trained):
    path, result = only_result(trained[0])
    splits = read_ranks(path.parent / "ranks.npz")
    assert list(splits) == ["valid", "test"]
    for split, ranked in splits.items():
        metrics = result["metrics"][split]
        assert (1 / ranked.realistic).mean() == pytest.approx(metrics["mrr"])
        assert (1 / ranked.realistic[ranked.head_side]).mean() == pytest.approx(metrics["head/mrr"])
        assert (ranked.own == 2).mean() == pytest.approx(metrics["own_above"])
        names = [RELATIONS[relation] for _, relation, _ in SPLITS[split] for _ in range(2)]
        assert ranked.relation.tolist() == [sorted(RELATIONS).index(name) for name in names]
    # ids of entities are those of entities.tsv
    degree = np.bincount([entity for head, _, tail in SPLITS["train"] for entity in (head, tail)], minlength=ENTITIES)
    answers = [answer for head, _, tail in SPLITS["test"] for answer in (tail, head)]
    assert splits["test"].popularity.tolist() == degree[answers].tolist()
    asked = [entity for head, _, tail in SPLITS["test"] for entity in (head, tail)]
    same_entity = np.equal.outer(asked, asked)
    np.testing.assert_array_equal(np.equal.outer(splits["test"].cluster, splits["test"].cluster), same_entity)


def test_what_a_run_prints(trained):
    _, printed = trained
    assert "epoch 2/2" in printed
    assert "dhns RotatE" in printed
    for row in ("all", "head", "tail", "pessimistic", "relation frequency"):
        assert f"│ {row}" in printed
    assert printed.rstrip().endswith("result: run/result.json")
    assert "\x1b" not in printed, "no colours or cursor movements where there is no terminal"


def test_a_run_leaves_nothing_half_written(trained):
    folder, _ = trained
    assert {path.name for path in (folder / "run").iterdir()} == {
        ".hydra", ".lock", "checkpoints", "features", "graph.safetensors", "hardness.png", "log", "ranks.npz",
        "result.json", "train.log",
    }  # fmt: skip
    assert not [path for path in folder.rglob("*") if ".tmp" in path.name]
    with (folder / "run" / "log" / "version_0" / "metrics.csv").open() as file:
        columns = next(csv.reader(file))
    assert {"train/loss", "valid/mrr", "final/test/mrr"} <= set(columns)


def test_train_says_nothing_needless_on_stderr(place):
    ended = program(place, *TRAIN, "model=rotate")
    assert ended.err == ""
    path, result = only_result(place)
    check_result(result)
    assert path.relative_to(place).parts[:3] == ("outputs", "mine", f"rotate-full-{result['config_hash']}")
    assert path.parent.name == "seed-0"
    assert result["generated"] == {}
    assert result["parameters"]["generator"] == 0
    assert not (path.parent / "hardness.png").exists()


def test_the_same_settings_print_the_stored_result(trained, monkeypatch):
    folder, first = trained
    monkeypatch.setattr(LinkPredictionModule, "training_step", None)
    before = (folder / "run" / "result.json").stat().st_mtime_ns
    printed = succeed(folder, *TRAIN, "run_dir=run")
    assert "already done" in printed
    table = first[first.index("dhns RotatE") :]
    assert table in printed
    assert (folder / "run" / "result.json").stat().st_mtime_ns == before


def test_a_run_folder_of_other_settings_is_not_taken_for_ones_own(trained):
    folder, _ = trained
    assert "run/result.json is of other settings" in refused(folder, *TRAIN, "run_dir=run", "scorer.margin=7")
    assert "seed 1" in refused(folder, *TRAIN, "run_dir=run", "seed=1")


def same(first, second):
    """Everything that training computes is equal."""
    keys = ("config_hash", "metrics", "baseline", "generated", "epochs", "batches", "fingerprints", "parameters")
    return all(first[key] == second[key] for key in keys)


def test_force_trains_again_to_the_same_numbers(place):
    succeed(place, *TRAIN)
    path, first = only_result(place)
    before = path.stat().st_mtime_ns
    assert "already done" not in succeed(place, *TRAIN, "force=true")
    again, second = only_result(place)
    assert again == path
    assert path.stat().st_mtime_ns > before
    assert same(first, second)


def test_another_seed_gives_other_numbers(place, trained):
    succeed(place, *TRAIN, "seed=1")
    _, other = only_result(place)
    _, first = only_result(trained[0])
    assert other["config_hash"] == first["config_hash"]
    assert other["metrics"] != first["metrics"]


LONG = (*TRAIN, "trainer.max_epochs=4", "progress=false")
STOPPED_AT = 7  # of 12 batches: in the third epoch


@pytest.mark.parametrize("stop", [RuntimeError("stopped"), KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_a_stopped_run_goes_on_to_the_same_numbers(place, long_result, monkeypatch, stop):
    """As one that is killed does: tests/faults/test_kill.py."""
    with monkeypatch.context() as patch, contextlib.suppress(type(stop)):
        patch.setattr(LinkPredictionModule, "training_step", stopping(stop))
        assert program(place, *LONG).code != 0
    assert not results(place)
    seen = []
    step = LinkPredictionModule.training_step
    monkeypatch.setattr(
        LinkPredictionModule, "training_step", lambda self, *a: (seen.append(self.batches_seen), step(self, *a))[1]
    )
    succeed(place, *LONG)
    assert seen == [6, 7, 8, 9, 10, 11], "it goes on from the end of the second epoch"
    assert same(only_result(place)[1], long_result)


def stopping(error, step=LinkPredictionModule.training_step):
    def training_step(self, *arguments):
        if self.batches_seen == STOPPED_AT:
            raise error
        return step(self, *arguments)

    return training_step


@pytest.fixture(scope="session")
def long_result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    write_graph(folder / "graph")
    succeed(folder, *LONG)
    return only_result(folder)[1]


def test_the_installed_program(trained):
    """Once as a shell starts it."""
    folder, _ = trained
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "60"}
    command = [sys.executable, "-c", "from dhns.cli import main; main()", "evaluate", "checkpoint=run"]
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert "Hits@10" in ended.stdout


def test_without_a_logger(place):
    succeed(place, *TRAIN, "model=rotate", "logger=none", "run_dir=run")
    assert not (place / "run" / "log").exists()
    check_result(only_result(place)[1])


def test_wandb_offline_writes_into_the_run(place):
    environment = {"DHNS_WANDB_OFFLINE": "true", "WANDB_SILENT": "true"}
    succeed(place, *TRAIN, "model=rotate", "logger=wandb", "run_dir=run", **environment)
    assert list((place / "run").glob("wandb/offline-run-*/*.wandb"))
    assert not (place / "wandb").exists()
    check_result(only_result(place)[1])


def test_without_modalities(place):
    succeed(place, "train", *DATA, *SMALL)
    assert only_result(place)[1]["generated"]["mean_scores"].keys() >= {"true", "level_0.5/structure"}


def test_an_edge_list_is_split_here(place):
    files = [(place / "graph" / f"{split}.tsv").read_text() for split in SPLITS]
    (place / "edges.tsv").write_text("".join(files))
    succeed(place, "train", "dataset=edges", "dataset.path=edges.tsv", "dataset.name=own", *SMALL, "model=rotate")
    assert "split by seed 0" in only_result(place)[1]["protocol"]["notes"][0]


# --- protocols -----------------------------------------------------------------------------------------------------

CONTAMINATED = SPLITS | {"valid": [*SPLITS["valid"], SPLITS["train"][0], SPLITS["test"][0]]}


@pytest.fixture
def contaminated(tmp_path):
    write_graph(tmp_path / "graph", CONTAMINATED)
    return tmp_path


ROTATE = (*TRAIN, "model=rotate", "protocol=as_published")


def test_selection_on_a_contaminated_validation_set_is_refused(contaminated):
    line = refused(contaminated, *ROTATE)
    assert "1 are training triples and 1 are test triples" in line
    for way_out in ("protocol=clean", "protocol.select=last_epoch", "protocol.allow_contaminated_selection=true"):
        assert way_out in line
    assert not results(contaminated)


@pytest.mark.parametrize("override", ["protocol.allow_contaminated_selection=true", "protocol.select=last_epoch"])
def test_ways_out(contaminated, override):
    succeed(contaminated, *ROTATE, override)
    path, result = only_result(contaminated)
    assert result["protocol"]["name"] == "as_published"
    assert result["metrics"]["valid"]["queries"] == 2 * len(CONTAMINATED["valid"])
    assert (path.parent / "checkpoints" / "best.ckpt").exists() == ("allow" in override)


def test_the_clean_protocol_carves(contaminated):
    succeed(contaminated, *TRAIN, "model=rotate")
    _, result = only_result(contaminated)
    assert result["protocol"]["notes"]
    assert result["protocol"]["name"] == "clean"


# --- evaluate ------------------------------------------------------------------------------------------------------


def cells(printed):
    """The cells of each row of a printed table, by the first one."""
    lines = [line.strip() for line in printed.splitlines() if line.count("│") > 2]
    rows = [[cell.strip() for cell in line[1:-1].split("│")] for line in lines]
    return {row[0]: row[1:] for row in rows}


@pytest.mark.parametrize("where", ["run", "run/checkpoints", "run/checkpoints/best.ckpt"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_evaluate_repeats_the_result(trained, split, where):
    folder, _ = trained
    metrics = only_result(folder)[1]["metrics"][split]
    table = cells(succeed(folder, "evaluate", f"checkpoint={where}", f"split={split}", "device=cpu"))
    for name in ("all", "head", "tail", "pessimistic"):
        prefix = "" if name == "all" else f"{name}/"
        percent = [f"{100 * metrics[prefix + key]:.2f}" for key in ("mrr", "hits@1", "hits@3", "hits@10")]
        assert table[name][1:5] == percent


def test_evaluate_is_exact(trained, monkeypatch):
    from dhns.training import evaluation

    folder, _ = trained
    seen = []
    rank = evaluation.rank_queries
    monkeypatch.setattr(evaluation, "rank_queries", lambda *a: seen.append(rank(*a)) or seen[-1])
    succeed(folder, "evaluate", "checkpoint=run", "device=cpu")
    assert seen[0][0] == only_result(folder)[1]["metrics"]["test"]


def test_evaluate_ranks_train_too(trained):
    table = cells(succeed(trained[0], "evaluate", "checkpoint=run", "split=train"))
    assert table["all"][0] == str(2 * len(SPLITS["train"]))


def test_evaluate_writes_nothing(trained):
    folder, _ = trained
    before = sorted(folder.rglob("*"))
    succeed(folder, "evaluate", "checkpoint=run")
    assert sorted(folder.rglob("*")) == before


# --- predict -------------------------------------------------------------------------------------------------------


def answers(folder, *query):
    return cells(succeed(folder, "predict", "checkpoint=run", "device=cpu", *query))


@pytest.mark.parametrize("head", ["e0", "Entity 0", "entity 0", "id:0"])
@pytest.mark.parametrize("relation", ["next", "id:1"])
def test_predict_by_name_key_and_id(trained, head, relation):
    query = (f"head={head}", f"relation={relation}")
    printed = succeed(trained[0], "predict", "checkpoint=run", *query, "k=20")
    assert "Entity 0 - next - ?" in printed
    table = cells(printed)
    assert len([name for name in table if name.isdigit()]) == ENTITIES, "no more answers than entities"
    assert {row[0]: row[2] for row in table.values() if row[2]} == {"Entity 1": "train"}


@pytest.mark.parametrize(
    ("query", "answer", "split"),
    [
        (("head=e11", "relation=next"), LABELS[0], "test"),
        (("relation=next", "tail=e11"), LABELS[10], "valid"),
        (("relation=kind of", "tail=Entity 0"), LABELS[2], "train"),
        (("head=e3", "tail=e2"), "previous", "train"),
    ],
)
def test_predict_each_missing_part(trained, query, answer, split):
    table = answers(trained[0], *query, "k=100")
    assert {row[0]: row[2] for row in table.values()}[answer] == split
    scores = [float(row[1]) for name, row in table.items() if name.isdigit()]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("index", [3, 4, 5, 6, 7, 8])
def test_predict_takes_any_label(trained, index):
    printed = succeed(trained[0], "predict", "checkpoint=run", f"head={LABELS[index]}", "relation=next", "k=3")
    assert f"{LABELS[index]} - next - ?" in printed


def test_predict_k(trained):
    table = answers(trained[0], "head=e0", "relation=next", "k=3")
    assert [name for name in table if name.isdigit()] == ["1", "2", "3"]


PREDICT = {
    ("head=Entty 10", "relation=next"): "no entity is named 'Entty 10'; did you mean 'Entity 10'",
    ("head=e0", "relation=nxt"): "no relation is named 'nxt'; did you mean 'next'?",
    ("head=id:99", "relation=next"): "entity id 99 is out of range; ids go from 0 to 11",
    ("head=7", "relation=next"): "no entity is named '7'; id:7 is the entity of that id, cash ${dollars}",
    ("head=e0",): "1 are given",
    ("head=e0", "relation=next", "tail=e1"): "3 are given",
    (): "0 are given",
    ("head=e0", "relation=next", "k=0"): "k is 0",
    ("head=e0", "relation=next", "k=x"): "k is 'x'; expected an integer",
}


@pytest.mark.parametrize(("query", "message"), PREDICT.items(), ids=lambda part: " ".join(part)[:30])
def test_predict_refuses(trained, query, message):
    assert message in refused(trained[0], "predict", "checkpoint=run", *query)


# --- compare -------------------------------------------------------------------------------------------------------


def test_compare(place, trained):
    succeed(place, "train", "--multirun", *TRAIN[1:], "model=rotate", "seed=0,1")
    succeed(place, *TRAIN)
    found = [result["metrics"]["test"]["mrr"] for result in results(place).values() if result["system"] == "rotate"]
    mean, deviation = sum(found) / 2, abs(found[0] - found[1]) / math.sqrt(2)
    printed = succeed(place, "compare")
    (row,) = [line for line in printed.splitlines() if "rotate" in line and "±" in line]
    assert f"{100 * mean:.2f} ± {100 * deviation:.2f}" in row
    assert "relation frequency" in printed
    assert "dhns RotatE" in printed
    assert all(len(line) <= 160 for line in printed.splitlines())
    assert succeed(place, "compare", "runs=outputs", "split=valid") != printed


def test_compare_is_readable_in_a_narrow_pipe(trained):
    printed = succeed(trained[0], "compare", "runs=.", COLUMNS="40")
    assert "dhns RotatE" in printed


# --- data ----------------------------------------------------------------------------------------------------------


def test_data_stats(place):
    printed = succeed(place, "data", "stats", *DATA, *MODALITIES)
    assert "stats of mine" in printed
    assert "12 entities (100.0%), 4 x float32" in printed
    assert "6 entities (50.0%), 5 x float32" in printed


def test_data_audit(contaminated):
    printed = succeed(contaminated, "data", "audit", *DATA)
    assert "warning: 1 triples are in both" in printed


def test_data_of_the_embedded_graph_from_any_folder(tmp_path):
    assert "world_flags" in succeed(tmp_path, "data", "stats")
    assert not list(tmp_path.iterdir())


def test_data_needs_an_action(tmp_path):
    assert "dhns data stats" in refused(tmp_path, "data")
    assert "there is no 'dhns data status'" in refused(tmp_path, "data", "status")


# --- blend ---------------------------------------------------------------------------------------------------------


def test_a_blend_is_used_like_a_run(trained, tmp_path):
    folder = tmp_path / "work"
    shutil.copytree(trained[0], folder)
    succeed(folder, *TRAIN, "seed=1", "run_dir=other")
    printed = succeed(folder, "blend", "members=[run,other]", "out=blend", "device=cpu")
    assert "run and run hold the same model" in refused(folder, "blend", "members=[run,./run]", "out=same")
    shutil.rmtree(folder / "run")
    shutil.rmtree(folder / "other")
    shutil.move(folder / "blend", folder / "moved")
    result = json.loads((folder / "moved" / "result.json").read_text())
    assert sum(result["weights"]) == pytest.approx(1)
    again = cells(succeed(folder, "evaluate", "checkpoint=moved", "device=cpu"))
    assert again.items() <= cells(printed).items()
    assert "all" in again
    asked = ("checkpoint=moved", "device=cpu", "k=3")
    assert "Entity" in succeed(folder, "predict", *asked, "head=Entity 1", "relation=next")
    assert "next" in succeed(folder, "predict", *asked, "head=Entity 1", "tail=Entity 2")
    assert "dhns + dhns" in succeed(folder, "compare", "runs=moved")
    assert "holds a result already" in refused(folder, "blend", "members=[moved,moved]", "out=moved")
