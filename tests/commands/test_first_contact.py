"""Commands on a data set that is not there: it is fetched first, or one message says how to get it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from commands.shell import DATA, ENTITIES, SMALL, only_result, program, refused, succeed
from dhns.resources import embedded_dir

AWAY = ("dataset.folder=fetched", "mirror=mirror", "download=true")
NOWHERE = "mirror=http://127.0.0.1:9"  # the port `discard`, where nobody listens
QUICK = ("budget=smoke", "scorer.dim=4", "progress=false")
TABLE = ("reproduce", "table=2", "rows=[rotate]", "budget=smoke", "download=true")


@pytest.fixture
def mirror(tmp_path):
    """A mirror of the embedded data set."""
    folder = tmp_path / "mirror" / "world_flags"
    folder.mkdir(parents=True)
    for path in embedded_dir().iterdir():
        if path.suffix in (".txt", ".tsv", ".safetensors"):
            shutil.copy(path, folder)
    return folder


def test_training_fetches_its_data_set_and_keeps_no_trace_of_where_from(mirror, tmp_path):
    printed = succeed(tmp_path, "train", "model=rotate", *QUICK, *AWAY, "run_dir=run")
    assert "world_flags: fetching 9 files, 1.9 MB, into fetched\n" in printed
    assert printed.count("fetched and verified") == 9
    result = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))
    assert not {"download", "mirror"} & result["config"].keys()
    assert b"mirror" not in (tmp_path / "run" / "checkpoints" / "last.ckpt").read_bytes()
    shutil.rmtree(mirror)
    assert "fetching" not in succeed(tmp_path, "train", "model=rotate", *QUICK, *AWAY[:1], "run_dir=run")


def test_a_damaged_mirror_ends_the_command_before_anything_is_trained(mirror, tmp_path):
    (mirror / "train2id.txt").write_bytes((mirror / "train2id.txt").read_bytes()[::-1])
    line = refused(tmp_path, "train", "model=rotate", *QUICK, *AWAY, "run_dir=run")
    assert "world_flags is not there and was not fetched (SHA-256 is " in line
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("command", ["train", "data stats", "data audit", "features texts=t.tsv out=f"])
def test_without_a_network_one_line_says_what_to_do(tmp_path, command):
    line = refused(tmp_path, *command.split(), "dataset=mkg_w", NOWHERE, "download=true")
    assert line.startswith("error: MKG-W is not there and was not fetched (127.0.0.1:9 cannot be reached: ")
    assert "Put entity2id.txt, relation2id.txt, train2id.txt, valid2id.txt, test2id.txt (1.2 MB) from https://" in line
    assert "into data/MKG-W, set DHNS_DATA to a folder that holds MKG-W/, or give mirror=PLACE" in line
    assert line.endswith("dataset=world_flags needs no download")


RUN_AND_TELL_IMPORTS = """
import sys; from dhns import cli; sys.argv = ['dhns', *sys.argv[1:]]
try: cli.main()
finally: print({'torch', 'pytorch_lightning'} & sys.modules.keys())
"""


@pytest.mark.parametrize("arguments", [["train", "dataset=mkg_w"], ["reproduce", "table=2"]], ids=lambda a: a[0])
def test_that_line_comes_before_the_imports_that_take_seconds(tmp_path, arguments):
    command = [sys.executable, "-c", RUN_AND_TELL_IMPORTS, *arguments, NOWHERE, "download=true"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (2, "set()"), ended.stderr


def test_a_table_of_results_is_made_without_those_imports(tmp_path):
    folder = Path(__file__).resolve().parents[2] / "results" / "demo"
    command = [sys.executable, "-c", RUN_AND_TELL_IMPORTS, "compare", f"runs={folder}", "against=rotate"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "set()"), ended.stderr


def test_a_word_that_is_no_switch_fetches_nothing(tmp_path):
    ended = program(tmp_path, "train", "dataset=mkg_w", NOWHERE, DHNS_DOWNLOAD="no")
    assert (ended.code, ended.err) == (
        2,
        "error: download is 'no'; expected true or false\n",
    )


def test_a_table_fetches_its_data_set_and_trains(mirror, tmp_path):
    table = (*TABLE, "datasets=[world_flags]", 'overrides=["dataset.folder=fetched","scorer.dim=4"]', "mirror=mirror")
    printed = succeed(tmp_path, *table, OMP_NUM_THREADS="1")
    assert "world_flags: fetching 9 files, 1.9 MB, into fetched\n" in printed
    assert "1 runs, 0 done, 1 to do" in printed
    assert only_result(tmp_path)[1]["system"] == "rotate"
    assert "fetching" not in succeed(tmp_path, *table)


def test_a_table_runs_the_data_sets_that_are_there(tmp_path):
    table = (*TABLE, "datasets=[mkg_w,world_flags]", 'overrides=["scorer.dim=4"]', NOWHERE)
    there = ("experiment=tuned", "model=rotate", "dataset=world_flags", "budget=smoke", "scorer.dim=4")
    succeed(tmp_path, "train", *there)  # here, as a table trains in a process that has to import everything
    ended = program(tmp_path, *table)
    assert ended.code == 1
    assert ended.out.startswith("1 runs, 1 done, 0 to do\n")
    assert only_result(tmp_path)[1]["dataset"] == "world_flags"
    first, second, *last = ended.err.splitlines()
    assert first.startswith("MKG-W is not there and was not fetched (127.0.0.1:9 cannot be reached: ")
    assert second.startswith("the others are run without MKG-W: ")
    assert last[:2] == ["without a result: RotatE, MKG-W, seed 0", "  MKG-W is not there"]


def test_a_table_without_any_data_set_runs_nothing(tmp_path):
    ended = program(tmp_path, *TABLE, "datasets=[mkg_w]", NOWHERE)
    assert ended.code == 2
    assert [line.split(":")[0] for line in ended.err.splitlines()] == [
        "MKG-W is not there and was not fetched (127.0.0.1",
        "error",
    ]
    assert not (tmp_path / "outputs").exists()


UNREAD = ("train", *DATA, *SMALL, "+dataset.modalities.textual=later.npy", "run_dir=run")


def test_a_model_that_reads_no_features_is_the_same_without(place):
    printed = succeed(place, *UNREAD, "model=rotate")
    assert "the textual features of mine are not there; what reads them will not run" in printed
    without = json.loads((place / "run" / "result.json").read_text(encoding="utf-8"))
    assert not any(part.startswith("modality/") for part in without["fingerprints"])

    np.save(place / "graph" / "later.npy", torch.randn(ENTITIES, 4).numpy())
    succeed(place, "evaluate", "checkpoint=run", "device=cpu")
    succeed(place, *UNREAD[:-1], "model=rotate", "run_dir=with")
    there = json.loads((place / "with" / "result.json").read_text(encoding="utf-8"))
    assert there["metrics"] == without["metrics"]
    (place / "graph" / "later.npy").unlink()
    assert program(place, "evaluate", "checkpoint=with", "device=cpu").code == 0


READERS = {
    "model=dhns": "later.npy: no such feature file",
    "model=adamf": "later.npy: no such feature file",
    "model=ikrl encoder.when_missing=use_available": "later.npy: no such feature file",
    "model=rotate negatives=mmrns": "later.npy: no such feature file",
    "model=rotate negatives=mans": "later.npy: no such feature file",
    "model=rotate missing=random missing.share=0.5": "later.npy: no such feature file",
}


@pytest.mark.parametrize(("reader", "message"), READERS.items(), ids=READERS)
def test_what_reads_features_that_are_not_there_says_how_to_get_some(place, reader, message):
    line = refused(place, *UNREAD, *reader.split())
    assert message in line
    assert "features=official" in line


def test_statistics_tell_that_features_are_not_there(place, caplog):
    assert "triples" in succeed(place, "data", "stats", *DATA, "+dataset.modalities.textual=later.npy")
    assert "the textual features of mine are not there" in caplog.text
