"""A table from nothing, by real trainings in processes of their own."""

import csv
import os
import signal
import subprocess
import sys

import pytest

from commands.shell import program, refused, results, succeed

TABLE = ("reproduce", "table=2", "datasets=[world_flags]", "budget=smoke")
ROWS = "rows=[transe,rotate]"


def cells(place):
    """The lines of the CSV by row and metric."""
    with (place / "outputs" / "table2" / "table.csv").open(encoding="utf-8") as file:
        return {(line["row"], line["metric"]): line for line in csv.DictReader(file)}


def settings_of(place, row):
    """The settings of a row's run, from the command that a cluster would be given."""
    printed = succeed(place, *TABLE, f"rows=[{row}]", "print_jobs=true", DHNS_OUTPUTS="outputs")
    assert f"dhns train --multirun experiment=tuned model={row} dataset=world_flags " in printed
    return ("experiment=tuned", "dataset=world_flags", f"model={row}", "budget=smoke", "protocol=clean")


def folder_of(place, row):
    shown = succeed(place, "train", *settings_of(place, row), "--cfg", "job", "--resolve", "--package", "run_dir")
    return place / shown.strip().splitlines()[-1]


def test_a_table_of_two_rows_one_of_which_is_there_and_one_fails_at_first(tmp_path):
    succeed(tmp_path, "train", *settings_of(tmp_path, "transe"), OMP_NUM_THREADS="1")
    broken = folder_of(tmp_path, "rotate") / "checkpoints" / "last.ckpt"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no checkpoint")
    ended = program(tmp_path, *TABLE, ROWS, OMP_NUM_THREADS="1")
    assert ended.code == 1
    assert ended.out.startswith("2 runs, 1 done, 1 to do\n")
    assert "RotatE, world_flags, seed 0: failed: " in ended.out
    assert ended.err.startswith("without a result: RotatE, world_flags, seed 0\n")
    assert "the same command tries them again" in ended.err
    ((path, result),) = results(tmp_path).items()
    found = cells(tmp_path)
    assert float(found["TransE", "mrr"]["mean"]) == pytest.approx(100 * result["metrics"]["test"]["mrr"])
    assert (tmp_path / "outputs" / found["TransE", "mrr"]["runs"]) == path.parent
    assert found["RotatE", "mrr"]["mean"] == ""
    assert "last.ckpt" in found["RotatE", "mrr"]["notes"]
    assert result["system"] == "transe"
    assert "CUT SHORT (budget: smoke)" in (tmp_path / "outputs" / "table2" / "table.md").read_text(encoding="utf-8")

    broken.unlink()
    written = path.stat().st_mtime_ns
    printed = succeed(tmp_path, *TABLE, ROWS, OMP_NUM_THREADS="1")
    assert printed.startswith("2 runs, 1 done, 1 to do, 1 of them failed before and are tried again\n")
    assert "RotatE, world_flags, seed 0: MRR " in printed
    assert path.stat().st_mtime_ns == written
    again = cells(tmp_path)
    assert again["TransE", "mrr"]["mean"] == found["TransE", "mrr"]["mean"]
    assert again["RotatE", "mrr"]["mean"] != ""
    assert again["RotatE", "mrr"]["notes"] == ""

    # results and nothing else make the table
    before = {path: path.read_bytes() for path in (tmp_path / "outputs" / "table2").iterdir()}
    for path in before:
        path.unlink()
    assert "runs, " not in succeed(tmp_path, *TABLE, ROWS, "render_only=true")
    assert {path: path.read_bytes() for path in (tmp_path / "outputs" / "table2").iterdir()} == before


def test_what_has_not_run_is_empty_and_missing(tmp_path):
    ended = program(tmp_path, *TABLE, ROWS, "render_only=true")
    assert ended.code == 1
    assert ended.err.startswith("without a result: TransE, world_flags, seed 0; RotatE, world_flags, seed 0\n")
    assert {(line["row"], line["mean"]) for line in cells(tmp_path).values()} == {("TransE", ""), ("RotatE", "")}
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == ["table2"]


def test_it_stops_when_asked_to_and_says_how_to_go_on(tmp_path):
    command = [sys.executable, "-m", "dhns.cli", *TABLE, "rows=[transe]"]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    driver = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert driver.stdout.readline() == "1 runs, 0 done, 1 to do\n"
    driver.send_signal(signal.SIGTERM)
    _, err = driver.communicate(timeout=60)
    assert driver.returncode == 128 + signal.SIGTERM
    assert err == "stopped by SIGTERM; the same command continues where it was\n"
    assert not (tmp_path / "outputs" / "table2").exists()


BAD = {
    "table=7": "Could not find 'table/7' Available options in 'table': 2 3 4 5",
    "jobs=0": "jobs is 0; at least 1",
    "jobs=many": "jobs is 'many'; expected an integer",
    "budget=long": "budget is 'long'; expected smoke, short, full",
    "protocol=dirty": "Could not find 'protocol/dirty'",
    "rows=[transee]": "did you mean transe?",
    'overrides=["negatives=[uniform,bernoulli]"]': "negatives takes one name: negatives=uniform",
    'overrides=["scorer.dimm=3"]': "TransE (dataset=world_flags model=transe) cannot be composed",
}


@pytest.mark.parametrize(("override", "message"), BAD.items(), ids=BAD)
def test_bad_input(tmp_path, override, message):
    rows = () if override.startswith("rows") else ("rows=[transe]",)
    assert message in refused(tmp_path, *TABLE, *rows, override)
    assert not list(tmp_path.iterdir())
