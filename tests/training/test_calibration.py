"""Probabilities mean what they say, nothing is fitted on test, and they are kept with the checkpoint they are of."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dhns.errors import InputError
from dhns.graph.triple_sets import occur_in
from dhns.results.plots import plot_reliability
from dhns.results.reliability import reliability
from dhns.training import calibrate
from dhns.training.calibrate import Judged, fit_calibration, fit_curve, require_scikit_learn
from dhns.training.calibration import Calibration, Isotonic, Platt, load_calibration, save_calibration


class Oracle:
    """Scores of noise, higher by ``gap`` where a triple is true."""

    score_triples = None
    device = torch.device("cpu")

    def __init__(self, graph, gap=2.0):
        self.graph, self.seen = graph, []
        generator = torch.Generator().manual_seed(0)
        entities = graph.num_entities
        self.table = torch.randn(entities, graph.num_relations, entities, generator=generator)
        for head, relation, tail in torch.cat([graph.train, graph.valid, graph.test]).tolist():
            self.table[head, relation, tail] += gap

    def score_all(self, queries):
        self.seen.append(queries)
        return torch.where(
            queries.head_side[:, None],
            self.table[:, queries.relation, queries.entity].T,
            self.table[queries.entity, queries.relation],
        )

    def eval(self):
        return self

    start_ranking = end_ranking = eval


@pytest.fixture
def oracle(toy_graph):
    everything = torch.cat([toy_graph.train, toy_graph.valid, toy_graph.test])
    order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(1))
    train, valid, test = everything[order].split([10, 9, 5])
    return Oracle(replace(toy_graph, train=train, valid=valid, test=test))


def drawn(slope, intercept, count=200_000):
    """Judged triples of which the probability of a fact is known; half of them are facts, nearly."""
    random = np.random.default_rng(0)
    score = random.normal(size=count)
    fact = random.random(count) < Platt(slope, intercept)(score)
    return Judged(score, fact, np.zeros(count, dtype=int), np.arange(count))


def test_platt_finds_the_curve_that_facts_were_drawn_by():
    judged = drawn(1.5, -0.7)
    found = fit_curve("platt", judged, judged.fact.mean())
    assert (found.slope, found.intercept) == (pytest.approx(1.5, abs=0.03), pytest.approx(-0.7, abs=0.03))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_another_share_changes_the_odds(method):
    judged = drawn(1.0, 0.0)
    at_half, at_tenth = (fit_curve(method, judged, share)(np.array([-1.0, 0.0, 1.0])) for share in (0.5, 0.1))
    odds = at_half / (1 - at_half) / 9
    np.testing.assert_allclose(at_tenth, odds / (1 + odds), atol=0.01)


def test_isotonic_rises_and_holds():
    judged = drawn(1.5, -0.7, 20_000)
    curve = fit_curve("isotonic", judged, judged.fact.mean())
    probability = curve(np.linspace(-9, 9, 500))
    assert (np.diff(probability) >= 0).all()
    other = drawn(1.5, -0.7, 40_000).rows(np.arange(20_000, 40_000))
    assert reliability(curve(other.score), other.fact, np.ones(20_000))[1]["ece"] < 0.02


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_a_calibration_of_a_graph(oracle, method, tmp_path):
    fitted = fit_calibration(oracle, "model", method, candidates="all", corrupted=8, test=True)
    made = fitted.calibration
    assert made.report["facts"] == 9
    assert 0 < made.report["corrupted"] < 2 * 9 * 8
    assert set(fitted.curves) == {"sigmoid of the score", "platt", "isotonic", f"{method}, test"}
    assert made.report["accuracy"] > 0.6
    scores = torch.tensor([-3.0, 0.0, 3.0])
    low, _, high = made.probability(scores).tolist()
    assert low < 0.3 < 0.7 < high
    assert made.probability(scores.reshape(3, 1)).shape == (3, 1)
    relations = torch.zeros(3, dtype=torch.int64)
    assert made.accepted(scores, relations, oracle.graph).tolist() == (scores >= made.threshold).tolist()
    plot_reliability(fitted.curves, method, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_relations_with_facts_enough_have_their_own_threshold(oracle, monkeypatch):
    monkeypatch.setattr(calibrate, "FEWEST", 4)
    made = fit_calibration(oracle, "model", candidates="all").calibration
    facts = 2 * oracle.graph.valid[:, 1].bincount(minlength=3)
    enough = [key for key, count in zip(oracle.graph.relations.keys, facts.tolist(), strict=True) if count >= 4]
    assert list(made.thresholds) == enough
    limits = replace(made, thresholds={"next": 5.0}, threshold=-5.0)
    assert limits.accepted(torch.zeros(2), torch.tensor([0, 1]), oracle.graph).tolist() == [False, True]


def test_test_is_not_looked_at_unless_asked_for(oracle):
    before = fit_calibration(oracle, "model").calibration
    oracle.graph = replace(oracle.graph, test=oracle.graph.test[:0])
    assert fit_calibration(oracle, "model").calibration == before
    with pytest.raises(InputError, match="toy has 0 test triples that can be corrupted; at least 2 are needed"):
        fit_calibration(oracle, "model", test=True)


@pytest.mark.parametrize("candidates", ["seen", "all"])
def test_corrupted_triples_are_no_facts_and_keep_the_rest(oracle, candidates):
    graph = oracle.graph
    known = graph.triples("train", "valid")
    table = torch.arange(12 * 3 * 12, dtype=torch.float32).reshape(12, 3, 12)  # the score tells the triple
    oracle.table = table
    judged = calibrate._judge(oracle, "valid", known, candidates, 16, None, 0)
    index = torch.from_numpy(judged.score).long()
    triples = torch.stack([index // 36, index // 12 % 3, index % 12], dim=1)
    np.testing.assert_array_equal(occur_in(triples, known, graph).numpy(), judged.fact)
    facts = {int(group): triple for triple, group, fact in zip(triples, judged.group, judged.fact, strict=True) if fact}
    for triple, group in zip(triples, judged.group, strict=True):
        differing = (triple != facts[int(group)]).nonzero().flatten().tolist()
        assert differing in ([], [0], [2])
        for side in differing if candidates == "seen" else []:
            assert triple[side] in graph.train[graph.train[:, 1] == triple[1], side]
    assert (judged.relation == triples[:, 1].numpy()).all()
    assert judged.facts + judged.left_out == len(graph.valid)
    assert (judged.left_out > 0) == (candidates == "seen")


def test_folds_never_part_a_fact_from_what_was_made_of_it(oracle):
    judged = calibrate._judge(oracle, "valid", oracle.graph.triples("train", "valid"), "seen", 8, None, 0)
    held_out = np.concatenate([rows for _, rows in calibrate._folds(judged)])
    assert sorted(held_out) == list(range(len(judged.score)))
    for fitted, rows in calibrate._folds(judged):
        assert not set(judged.group[fitted]) & set(judged.group[rows])


def test_fewer_facts_if_asked_for(oracle):
    assert fit_calibration(oracle, "model", candidates="all", valid_triples=4).calibration.report["facts"] == 4


def test_a_weight_makes_the_share():
    judged = Judged(np.zeros(10), np.arange(10) < 2, np.zeros(10), np.arange(10))
    weight = judged.weight(0.01)
    assert weight[judged.fact].sum() / weight.sum() == pytest.approx(0.01)
    assert (weight[judged.fact] == 1).all()


def test_what_cannot_be_calibrated(oracle, toy_graph, monkeypatch):
    with pytest.raises(InputError, match="does not score facts above corrupted triples"):
        fit_calibration(Oracle(oracle.graph, gap=-4.0), "model")
    empty = Oracle(replace(toy_graph, valid=toy_graph.valid[:0]))
    with pytest.raises(InputError, match="toy has 0 valid triples that can be corrupted"):
        fit_calibration(empty, "model")
    oracle.table[:] = torch.nan
    with pytest.raises(InputError, match="a score is NaN or infinite"):
        fit_calibration(oracle, "model")
    for wrong, message in {
        "method": "method is 'x'; expected platt or isotonic",
        "candidates": "candidates is 'x'; expected seen or all",
    }.items():
        with pytest.raises(InputError, match=message):
            fit_calibration(oracle, "model", **{wrong: "x"})
    for wrong in ({"share": 1.0}, {"share": 0.0}, {"corrupted": 0}, {"valid_triples": 1}):
        with pytest.raises(InputError, match=f"{next(iter(wrong))} is {next(iter(wrong.values()))}"):
            fit_calibration(oracle, "model", **wrong)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"needs scikit-learn: pip install 'dhns\[calibration\]'"):
        require_scikit_learn()


CURVES = [Platt(1.5, -0.5), Isotonic((-1.0, 0.0, 2.0), (0.0, 0.4, 1.0))]


@pytest.mark.parametrize("curve", CURVES)
def test_it_is_kept_with_its_checkpoint(tmp_path, curve):
    checkpoint = tmp_path / "checkpoints" / "best.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(b"weights")
    assert load_calibration(tmp_path) is None
    from dhns.training.calibration import fingerprint_of

    made = Calibration(type(curve).__name__.lower(), curve, 0.5, "seen", -1.0, {"next": 2.0}, fingerprint_of(tmp_path))
    file = save_calibration(made, tmp_path)
    assert file == tmp_path / "checkpoints" / "best.calibration.json"
    for place in (tmp_path, checkpoint.parent, checkpoint):
        found = load_calibration(place)
        assert (
            found.probability(torch.tensor([-3.0, 0.1, 9.0])).tolist()
            == made.probability(torch.tensor([-3.0, 0.1, 9.0])).tolist()
        )
        assert (found.threshold, dict(found.thresholds)) == (made.threshold, dict(made.thresholds))
    checkpoint.write_bytes(b"other weights")
    with pytest.raises(InputError, match=r"was fitted to another checkpoint .* dhns calibrate checkpoint="):
        load_calibration(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "spline"},
        {"curve": {"slope": -1.0, "intercept": 0.0}},
        {"curve": {"slope": "steep", "intercept": 0.0}},
        {"method": "isotonic", "curve": {"scores": [0, 1], "probabilities": [0.6, 0.4]}},
        {"method": "isotonic", "curve": {"scores": [1, 0], "probabilities": [0.4, 0.6]}},
        {"method": "isotonic", "curve": {"scores": [], "probabilities": []}},
        {"share": 1.5},
        {"candidates": "some"},
        {"threshold": float("nan")},
        {"thresholds": {"next": "high"}},
        {"more": 1},
    ],
)
def test_damaged_files_are_told(tmp_path, change):
    (tmp_path / "best.ckpt").write_bytes(b"weights")
    made = Calibration("platt", CURVES[0], 0.5, "seen", -1.0, {}, "")
    file = save_calibration(made, tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(InputError, match=r"is no readable calibration .* remove the file"):
        load_calibration(tmp_path)
    file.write_text("{")
    with pytest.raises(InputError, match="is no readable calibration"):
        load_calibration(tmp_path)
