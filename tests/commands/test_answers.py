"""Files of queries and triples, discovery and calibration, from the command line and in Python."""

import csv
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import dhns
from commands.shell import DATA, ENTITIES, SMALL, SPLITS, program, refused, succeed, write_graph

PAGE = Path(__file__).resolve().parents[2] / "docs" / "answers.md"


LEARNT = {
    "train": [(i, 0, (i + 1) % ENTITIES) for i in range(ENTITIES)] + [(i, 1, i - 1) for i in (1, 2, 4, 5, 7, 8, 10)],
    "valid": [(3, 1, 2), (6, 1, 5), (9, 1, 8)],
    "test": [(11, 1, 10), (0, 1, 11)],
}
"""One relation is the other's inverse, which a few epochs are enough for."""


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A folder with a run that has learnt something, calibrated, and what that printed."""
    folder = tmp_path_factory.mktemp("calibrated")
    write_graph(folder / "graph", LEARNT)
    succeed(folder, *TRAIN, "run_dir=run")
    printed = succeed(folder, "calibrate", "checkpoint=run", "candidates=all", "corrupted=6", "test=true", "device=cpu")
    return folder, printed


TRAIN = (
    "train", *DATA, *SMALL, "model=rotate", "scorer.dim=8", "trainer.max_epochs=30",
    "trainer.check_val_every_n_epoch=30", "optimization.optimizer.lr=0.1",
)  # fmt: skip


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "line", re.findall(r"^    (dhns .*?)(?: +#.*)?$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
)
def test_the_commands_of_the_page_are_commands(tmp_path, line):
    command, *settings = shlex.split(line)[1:]
    printed = succeed(tmp_path, command, *settings, "--cfg", "job")
    for name in (setting.partition("=")[0].split(".")[-1] for setting in settings):
        assert f"{name}:" in printed or name == "model", "which chooses other groups"


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_of_queries(trained, tmp_path):
    (tmp_path / "q.csv").write_text("relation,head,tail\nnext,e0,\nkind of,?,Entity 1\n,id:3,e2\n")
    out = tmp_path / "a.csv"
    printed = succeed(
        trained[0], "predict", "checkpoint=run", f"queries={tmp_path / 'q.csv'}", f"out={out}", "k=2", "device=cpu"
    )
    assert printed == f"6 answers to 3 queries: {out}\n"
    rows = table(out)
    assert [(row["line"], row["asked"], row["rank"]) for row in rows] == [
        (line, asked, rank) for line, asked in (("2", "tail"), ("3", "head"), ("4", "relation")) for rank in "12"
    ]
    model = dhns.load(trained[0] / "run", device="cpu")
    queries = [("e0", "next", None), (None, "kind of", "Entity 1"), (3, None, "e2")]
    found = list(model.predict_many(queries, k=2))
    for row, answer in zip(rows, (answer for answers in found for answer in answers), strict=True):
        assert (row[row["asked"]], row["label"], row["known"]) == (answer.key, answer.label, answer.known)
        assert float(row["score"]) == pytest.approx(answer.score, abs=1e-5)
    assert found[0] == model.predict(head="e0", relation="next", k=2)


def test_answers_are_a_file_of_triples(trained, tmp_path):
    """What one command writes another reads."""
    folder, _ = trained
    (tmp_path / "q.jsonl").write_text('{"head": 0, "relation": "next"}\n["?", "next", "e3"]\n')
    for ending in ("csv", "tsv", "jsonl", "parquet"):
        answers, scores = tmp_path / f"a.{ending}", tmp_path / "s.jsonl"
        succeed(folder, "predict", "checkpoint=run", f"queries={tmp_path / 'q.jsonl'}", f"out={answers}", "device=cpu")
        succeed(folder, "score", "checkpoint=run", f"triples={answers}", f"out={scores}", "device=cpu")
        rows = [json.loads(line) for line in scores.read_text().splitlines()]
        assert len(rows) == 20
        assert all(row["known"] in ("", "train", "valid", "test") for row in rows)
    model = dhns.load(folder / "run", device="cpu")
    triples = [(row["head"], row["relation"], row["tail"]) for row in rows]
    np.testing.assert_allclose(model.score(triples), [row["score"] for row in rows], rtol=1e-5)


def test_bad_lines_from_the_command_line(trained, tmp_path):
    (tmp_path / "t.tsv").write_text("e0\tnext\te1\nnobody\tnext\te1\n")
    asked = ("score", "checkpoint=run", f"triples={tmp_path / 't.tsv'}", f"out={tmp_path / 's.csv'}", "device=cpu")
    assert "t.tsv, line 2: no entity is named 'nobody'" in refused(trained[0], *asked)
    printed = succeed(trained[0], *asked, "bad_lines=skip")
    assert "skipped: line 2: no entity is named 'nobody'" in printed
    assert f"1 bad lines were skipped; all of them: {tmp_path / 's.bad.tsv'}" in printed
    assert len(table(tmp_path / "s.csv")) == 1
    before = (tmp_path / "s.bad.tsv").read_bytes()
    (tmp_path / "t.tsv").write_text("nobody\tnext\te1\n")
    assert "line 1: no entity" in refused(trained[0], *asked)
    assert (tmp_path / "s.bad.tsv").read_bytes() == before, "of the file that is there"


def test_a_file_that_is_read_is_not_written_over(trained, tmp_path):
    for name, text in {"t.csv": "e0,next,e1\n", "o.bad.tsv": "e0\tnext\te1\n"}.items():
        (tmp_path / name).write_text(text)
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    triples = f"triples={tmp_path / 't.csv'}"
    for command in ("score", "evaluate"):
        asked = (command, "checkpoint=run", triples, f"out={tmp_path / 't.csv'}", "device=cpu")
        assert "which is read and would be lost; give another file" in refused(trained[0], *asked)
    asked = ("score", "checkpoint=run", f"triples={tmp_path / 'o.bad.tsv'}", f"out={tmp_path / 'o.csv'}", "device=cpu")
    assert "is where the bad lines of out=" in refused(trained[0], *asked)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files


REFUSED = {
    ("predict", "queries=nowhere.tsv", "out=a.csv"): "nowhere.tsv: no such file",
    ("predict", "queries=graph/train.tsv"): "out is not given; add out=FILE",
    ("predict", "queries=graph/train.tsv", "out=a.xlsx"): "must end in .csv, .tsv, .jsonl, .ndjson or .parquet",
    ("predict", "queries=graph/train.tsv", "out=a.csv", "head=e0"): "and head is given too; leave out one",
    ("predict", "queries=graph/train.tsv", "out=a.csv", "bad_lines=drop"): "bad_lines is 'drop'; expected stop, skip",
    ("score", "triples=graph/text.npy", "out=a.csv"): "text.npy: the name must end in .tsv",
    ("score", "out=a.csv"): "triples is not given; add triples=VALUE",
    ("discover", "relations=[nxt]"): "no relation is named 'nxt'; did you mean 'next'?",
    ("discover", "candidates=some"): "candidates is 'some'; expected seen, all",
    ("discover", "out=a.json"): "out=a.json: the name must end in .csv",
    ("discover", "relations=[]"): "relations is empty; name some, or leave it out to search all",
    ("discover", "relations=[xyzzy]"): "no relation is named 'xyzzy'; there are kind of, next, previous",
    ("predict", "head=e0", "relation=next", "out=run/result.json"): "is a part of a trained run, which would be lost",
    ("export", "out=run/graph.safetensors"): "is a part of a trained run, which would be lost",
    ("export", "out=graph/train.tsv/v.npz"): "train.tsv is a file, and nothing lies in a file",
    ("calibrate", "share=1"): "share is 1; below 1 is needed",
    ("calibrate", "method=spline"): "method is 'spline'; expected platt, isotonic",
}


def test_bad_arguments_in_python(trained):
    model = dhns.load(trained[0] / "run", device="cpu")
    for relations in ([], "next"):
        with pytest.raises(dhns.InputError, match="expected a list of some, or None for all"):
            model.discover(relations)
    for value in ("half", 7):
        with pytest.raises(dhns.InputError, match=f"share is '?{value}'?; "):
            dhns.calibrate(trained[0] / "run", share=value)


@pytest.mark.parametrize(("asked", "message"), REFUSED.items(), ids=[" ".join(asked) for asked in REFUSED])
def test_bad_input(trained, asked, message):
    command, *settings = asked
    assert message in refused(trained[0], command, "checkpoint=run", *settings)


# --- discovery -------------------------------------------------------------------------------------------------------


def test_discover(trained, tmp_path):
    out = tmp_path / "d.csv"
    printed = succeed(
        trained[0], "discover", "checkpoint=run", "relations=[next,kind of]", "n=5", f"out={out}", "device=cpu"
    )
    rows = table(out)
    assert f"5 triples: {out}" in printed
    assert [row["relation"] in ("next", "kind of") for row in rows] == [True] * 5
    known = {(f"e{head}", relation, f"e{tail}") for rows in SPLITS.values() for head, relation, tail in rows}
    assert not {(row["head"], row["relation"], row["tail"]) for row in rows} & known
    model = dhns.load(trained[0] / "run", device="cpu")
    found = model.discover(["next", "kind of"], n=5)
    assert [list(row.values())[:3] for row in rows] == [list(triple[:3]) for triple in found]
    assert [triple.probability for triple in found] == [None] * 5
    np.testing.assert_allclose(model.score([triple[:3] for triple in found]), [t.score for t in found], rtol=1e-5)


def test_discover_prints_some(trained):
    printed = succeed(trained[0], "discover", "checkpoint=run", "n=30", "candidates=all", "device=cpu")
    assert "30 triples were found, and 20 are shown; out=FILE writes all of them" in printed


# --- calibration -----------------------------------------------------------------------------------------------------


def test_calibrate_prints_what_it_stored(calibrated):
    folder, printed = calibrated
    stored = json.loads((folder / "run" / "checkpoints" / "best.calibration.json").read_text())
    assert (folder / "run" / "checkpoints" / "best.calibration.png").read_bytes().startswith(b"\x89PNG")
    assert stored["report"]["facts"] == len(LEARNT["valid"])
    for name in ("sigmoid of the score", "platt", "isotonic", "platt, test"):
        assert f"│ {100 * stored['report'][name]['ece']:.2f}" in printed.replace("│  ", "│ ").replace("│  ", "│ ")
    assert "probability: that of a fact, among triples of which 50 % are facts" in printed
    assert f"triple classification, test: {100 * stored['report']['accuracy, test']:.2f} % right" in printed


def test_probabilities_go_with_answers(calibrated, tmp_path):
    folder, _ = calibrated
    model = dhns.load(folder / "run", device="cpu")
    answers = model.predict(head="e0", relation="next", k=ENTITIES)
    probabilities = [answer.probability for answer in answers]
    assert probabilities == sorted(probabilities, reverse=True)
    named = [("e0", "next", answer.key) for answer in answers]
    np.testing.assert_allclose(model.probability(named), probabilities, rtol=1e-5)
    printed = succeed(folder, "predict", "checkpoint=run", "head=e0", "relation=next", "k=2", "device=cpu")
    assert f"{probabilities[0]:.3f}" in printed
    assert "note: probability: that of a fact" in printed
    (tmp_path / "t.tsv").write_text("e0\tnext\te1\n")
    out = tmp_path / "s.csv"
    succeed(folder, "score", "checkpoint=run", f"triples={tmp_path / 't.tsv'}", f"out={out}", "device=cpu")
    (row,) = table(out)
    assert float(row["probability"]) == pytest.approx(model.probability([("e0", "next", "e1")])[0])
    assert row["accepted"] == str(float(row["score"]) >= model.calibration.threshold).lower()
    assert model.discover(n=1)[0].probability is not None


def test_a_calibration_of_another_checkpoint_is_refused(calibrated, tmp_path):
    shutil.copytree(calibrated[0] / "run", tmp_path / "run")
    best = tmp_path / "run" / "checkpoints" / "best.ckpt"
    shutil.copyfile(best.with_name("last.ckpt"), best)
    asked = ("predict", "checkpoint=run", "head=e0", "relation=next", "device=cpu")
    assert "was fitted to another checkpoint than the one that is there now" in refused(tmp_path, *asked)
    best.with_suffix(".calibration.json").unlink()
    assert program(tmp_path, *asked).code == 0
    with pytest.raises(dhns.InputError, match="the model is not calibrated"):
        dhns.load(tmp_path / "run").probability([("e0", "next", "e1")])


def test_a_blend_is_calibrated_scored_and_searched(calibrated, tmp_path):
    shutil.copytree(calibrated[0], tmp_path / "here")
    succeed(tmp_path / "here", *TRAIN, "seed=1", "run_dir=other")
    runs = [tmp_path / "here" / name for name in ("run", "other")]
    folder = dhns.blend(runs, tmp_path / "blend", weights=[1, 1], device="cpu").folder
    made = dhns.calibrate(folder, "isotonic", candidates="all", corrupted=6, device="cpu")
    assert (folder / "blend.calibration.json").is_file()
    model = dhns.load(folder, device="cpu")
    assert model.calibration.curve == made.curve
    answer = model.predict(head="e0", relation="next", k=1)[0]
    np.testing.assert_allclose(model.score([("e0", "next", answer.key)]), answer.score, rtol=1e-5)
    assert model.discover(n=3, candidates="all")[0].score > model.discover(n=3, candidates="all")[2].score
