"""Files are answered as single queries are, whatever the chunk; bad lines stop, or are listed."""

import json

import pytest
import torch

from dhns.errors import InputError
from dhns.training.answer_files import predict_file, score_file
from dhns.training.blend import Blend
from dhns.training.calibration import Calibration, Platt
from dhns.training.prediction import Query, predict, predict_many, score_facts

QUERIES = ["e0\tnext\t", "?\tkind of\tEntity 1", "id:3\t\te2", "Entity 11\tnext\t?"]
CALIBRATION = Calibration("platt", Platt(2.0, 1.0), 0.5, "seen", -1.0, {"next": 100.0}, "")


@pytest.fixture
def module(make_module):
    return make_module("model=rotate").eval()


@pytest.fixture
def blend(make_module, module):
    return Blend([module, make_module("model=complex_n3", "scorer.init_range=0.5").eval()])


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", ["module", "blend"])
@pytest.mark.parametrize("chunk", [1, 3, 100])
@pytest.mark.parametrize("hide", [False, True])
def test_answers_are_those_of_single_queries(tmp_path, request, kind, chunk, hide):
    ranker = request.getfixturevalue(kind)
    graph = ranker.graph
    (tmp_path / "q.tsv").write_text("\n".join(QUERIES))
    report = predict_file(ranker, tmp_path / "q.tsv", tmp_path / "a.jsonl", 5, hide_known=hide, chunk=chunk)
    found = lines(tmp_path / "a.jsonl")
    assert (report.read, report.written, report.skipped) == (4, len(found), 0)
    parsed = [Query(0, 0, None), Query(None, 2, 1), Query(3, None, 2), Query(11, 0, None)]
    for line, query in enumerate(parsed, start=1):
        rows = [row for row in found if row["line"] == line]
        answers = predict(ranker, query, 5, hide)
        assert [row["rank"] for row in rows] == list(range(1, len(answers) + 1))
        for row, answer in zip(rows, answers, strict=True):
            assert row["asked"] == query.asked
            assert row["score"] == pytest.approx(answer.score, abs=1e-5)
            assert row["known"] == ", ".join(answer.known_in)
            names = query.vocabulary(graph)
            assert row[query.asked] == names.keys[answer.candidate]
            assert row["label"] == names.labels[answer.candidate]
    assert ("train" in {row["known"] for row in found}) is not hide


def test_hidden_answers_leave_fewer(module):
    """Of relations none may be left."""
    query = Query(3, None, 2)
    assert len(predict(module, query, 100)) == 3
    assert [answer.candidate for answer in predict(module, query, 100, hide_known=True)].count(1) == 0
    assert len(predict(module, Query(0, 0, None), 100, hide_known=True)) == 11


def test_queries_are_taken_as_answers_are_asked_for(module):
    taken = []

    def endless():
        while True:
            taken.append(Query(len(taken) % 12, 0, None))
            yield taken[-1]

    answered = predict_many(module, endless(), 1, chunk=4)
    for _ in range(5):
        next(answered)
    assert len(taken) == 8


@pytest.mark.parametrize("kind", ["module", "blend"])
@pytest.mark.parametrize("chunk", [2, 100])
def test_scores_of_a_file(tmp_path, request, kind, chunk):
    ranker = request.getfixturevalue(kind)
    graph = ranker.graph
    triples = torch.cat([graph.test, torch.tensor([[0, 1, 5]])])
    rows = [(graph.entities.keys[h], graph.relations.keys[r], graph.entities.labels[t]) for h, r, t in triples.tolist()]
    (tmp_path / "t.csv").write_text("".join(",".join(row) + "\n" for row in rows))
    report = score_file(ranker, tmp_path / "t.csv", tmp_path / "s.jsonl", calibration=CALIBRATION, chunk=chunk)
    found = lines(tmp_path / "s.jsonl")
    assert report.written == 4
    assert [row["known"] for row in found] == ["test", "test", "test", ""]
    scores = score_facts(ranker, triples)
    assert [row["score"] for row in found] == pytest.approx(scores.tolist())
    assert [row["probability"] for row in found] == pytest.approx((2 * scores.double() + 1).sigmoid().tolist())
    accepted = [
        bool(score >= (100 if relation == 0 else -1)) for score, relation in zip(scores, triples[:, 1], strict=True)
    ]
    assert [row["accepted"] for row in found] == accepted
    answers = {answer.candidate: answer.score for answer in predict(ranker, Query(0, 1, None), 12)}
    assert answers[5] == pytest.approx(scores[3].item(), abs=1e-5), "as an answer it scores the same"


def test_a_blend_gives_no_probabilities_to_relations(module, blend):
    query = Query(3, None, 2)
    assert [answer.probability for answer in predict(blend, query, 2, calibration=CALIBRATION)] == [None, None]
    for answer in predict(module, query, 2, calibration=CALIBRATION):
        assert answer.probability == pytest.approx(torch.tensor(2 * answer.score + 1).sigmoid().item())


BAD = {
    "e0\tnext\te1": "a query gives two of head, relation and tail; 3 are given",
    "e0\t\t": "a query gives two of head, relation and tail; 1 are given",
    "nobody\tnext\t": "no entity is named 'nobody'",
    "e0\tnxt\t": "no relation is named 'nxt'",
    "e0\tnext": "2 columns, expected 3",
    "id:99\tnext\t": "entity id 99 is out of range",
}


@pytest.mark.parametrize(("line", "words"), BAD.items())
def test_a_bad_line_stops(tmp_path, module, line, words):
    (tmp_path / "q.tsv").write_text(f"e0\tnext\t\n{line}\n")
    with pytest.raises(InputError) as told:
        predict_file(module, tmp_path / "q.tsv", tmp_path / "a.csv")
    assert f"q.tsv, line 2: {words}" in str(told.value)
    assert "bad_lines=skip leaves such lines out" in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["q.tsv"], "nothing is half-written"


def test_bad_lines_are_skipped_and_listed(tmp_path, module):
    bad = list(BAD) * 2
    (tmp_path / "q.tsv").write_text("\n".join(["e0\tnext\t", *bad, "e1\tnext\t"]))
    report = predict_file(module, tmp_path / "q.tsv", tmp_path / "a.csv", 1, bad_lines="skip", chunk=2)
    assert (report.read, report.written, report.skipped, len(report.faults)) == (2, 2, 12, 10)
    assert report.faults[0].startswith("line 2: a query gives two")
    listed = (tmp_path / "a.bad.tsv").read_text().splitlines()
    assert [row.split("\t")[0] for row in listed] == ["line", *map(str, range(2, 14))]
    assert [row.split(",")[0] for row in (tmp_path / "a.csv").read_text().splitlines()] == ["line", "1", "14"]
    (tmp_path / "q.tsv").write_text("e0\tnext\t\n")
    assert predict_file(module, tmp_path / "q.tsv", tmp_path / "a.csv", bad_lines="skip").skipped_file is None
    assert not (tmp_path / "a.bad.tsv").exists(), "it was of the earlier call"


def test_a_triple_has_all_parts(tmp_path, module):
    (tmp_path / "t.jsonl").write_text('{"head": 0, "relation": "next", "tail": 1}\n{"head": 0, "relation": "next"}\n')
    with pytest.raises(InputError, match="line 2: the tail is empty; a triple has all three"):
        score_file(module, tmp_path / "t.jsonl", tmp_path / "s.csv")
    for answer in (predict_file, score_file):
        with pytest.raises(InputError, match="chunk is 0; at least 1 line"):
            answer(module, tmp_path / "t.jsonl", tmp_path / "s.csv", chunk=0)
    with pytest.raises(InputError, match="bad_lines is 'drop'; expected stop or skip"):
        score_file(module, tmp_path / "t.jsonl", tmp_path / "s.csv", bad_lines="drop")
