"""Parts of the page: where lines go, what is read of a log, what a model is asked."""

import re

import numpy as np
import pytest
import torch

from builders import composed
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.reporting.charts import HEIGHT, Series, line_chart, strip, strips_axis
from dhns.reporting.curves import best_epoch, read_curves
from dhns.reporting.differing_settings import differing_settings
from dhns.reporting.document import TEMPLATES
from dhns.reporting.hardness import hardness
from dhns.reporting.model_parts import model_parts
from dhns.reporting.pieces import plain_value
from dhns.reporting.trained import entity_map, examples, score_quantiles
from dhns.testing import small_graph
from dhns.training.build import build_module
from dhns.training.hardness import score_samples


def points(path):
    return [tuple(map(float, pair.split(","))) for pair in path.removeprefix("M").split("L")]


def test_a_line_goes_where_its_values_are():
    chart = line_chart("Loss", [Series("a", [(1, 0.0), (2, 5.0), (3, 10.0)], 1)])
    (line,) = chart.lines
    places = {tick.text: tick.at for tick in chart.y_ticks}
    assert [y for _, y in points(line.path)] == pytest.approx(
        [places["0"], (places["0"] + places["10"]) / 2, places["10"]], abs=0.1
    )
    assert [x for x, _ in points(line.path)] == pytest.approx(
        [chart.left, (chart.left + chart.right) / 2, chart.right], abs=0.1
    )
    assert line.end == points(line.path)[-1]
    assert {tick.text for tick in chart.x_ticks} == {"1", "2", "3"}
    assert chart.description == "Loss by epoch. a: 0 at epoch 1, 10 at epoch 3."


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [0.0, 0.0], [-2.0, -2.0], [1e-13, 3e-13], [1e12, -1e12]])
def test_every_line_has_a_place(values):
    chart = line_chart("Any", [Series("a", list(enumerate(values, start=1)), 1)])
    assert all(0 <= y <= HEIGHT for _, y in points(chart.lines[0].path))
    assert len({tick.text for tick in chart.y_ticks}) > 1
    assert all(chart.left <= x <= chart.right for x, _ in points(chart.lines[0].path))
    assert {tick.text for tick in chart.x_ticks} == set(map(str, range(1, len(values) + 1)))


def test_nothing_to_draw_is_no_chart():
    assert line_chart("None", []) is None
    assert line_chart("None", [Series("a", [], 1)]) is None


def test_labels_do_not_cover_each_other():
    series = [Series(f"line {number}", [(1, 0.0), (9, 0.001 * number)], 1) for number in range(6)]
    chart = line_chart("Loss", [*series, Series("", [(1, 0.0), (9, 100.0)], 0)])
    places = sorted(line.label_at[1] for line in chart.lines if line.label)
    assert min(np.diff(places)) >= 13.9
    assert places[-1] <= chart.bottom + 4


def test_strips_lie_along_their_axis():
    assert strips_axis([0.0, 93.2]) == (0, 100)
    low, high = strips_axis([0.0, 0.0])
    assert low < 0 < high, "an axis has a length"
    found = strip((-10, 10), 5, (0, 10), (2.5, 7.5))
    assert (found.value, found.low, found.high, found.inner) == (75, 50, 100, (62.5, 87.5))
    assert strip((0, 100), 30).low is None


def test_a_log_is_read_as_far_as_it_goes(tmp_path):
    for version, text in {
        "version_0": "epoch,step,train/loss,valid/mrr\n0,1,5.0,\n0,1,,0.2\n1,2,4.0,\n1,2,,0.4\n,2,,0.9\n",
        "version_2": "epoch,step,train/loss,valid/mrr\n1,2,3.0,0.3\n2,3,nan,0.3\n3,4,2.",
        "version_10": "epoch,step,train/loss,valid/mrr\n3,4,1.5,0.1\n",
    }.items():
        (tmp_path / "log" / version).mkdir(parents=True)
        (tmp_path / "log" / version / "metrics.csv").write_text(text)
    curves = read_curves(tmp_path)
    assert curves == {
        "train/loss": [(1, 5.0), (2, 3.0), (4, 1.5)],
        "valid/mrr": [(1, 0.2), (2, 0.3), (3, 0.3), (4, 0.1)],
    }
    assert best_epoch(curves, {"protocol": {"select": "best_valid"}}) == 2, "the first of equals"
    assert best_epoch(curves, {"protocol": {"select": "last"}}) is None
    assert best_epoch({}, {"protocol": {"select": "best_valid"}}) is None
    assert read_curves(tmp_path / "nowhere") == {}


def module(**changes):
    config = composed("model=dhns", "encoder.modalities=null", *(f"{key}={value}" for key, value in changes.items()))
    return build_module(config, small_graph()).eval()


def test_the_map_is_of_the_principal_components():
    trained = module()
    found = entity_map(trained, 2)
    joint = trained.model.encode().joint.detach().double().numpy()
    centred = joint - joint.mean(0)
    _, singular, axes = np.linalg.svd(centred, full_matrices=False)
    expected = np.abs(centred @ axes[:2].T)[found.entities]
    np.testing.assert_allclose(np.abs(found.places), expected, atol=1e-6)
    np.testing.assert_allclose(found.shares, (singular**2 / (singular**2).sum())[:2], rtol=1e-6)
    again = entity_map(module(), 2)
    np.testing.assert_array_equal(found.places, again.places)


def test_entities_are_of_the_kind_of_most_of_their_triples():
    graph = KnowledgeGraph.from_triples(
        [("a", "r", "b"), ("a", "r", "c"), ("a", "s", "d"), ("b", "s", "c"), ("d", "s", "c")], test=[("e", "r", "a")]
    )
    trained = build_module(composed("model=rotate"), graph).eval()
    found = entity_map(trained, 4)
    kinds = {graph.entities.keys[e]: kind for e, kind in zip(found.entities.tolist(), found.kind.tolist(), strict=True)}
    of = {key: found.kinds[kind] if kind >= 0 else None for key, kind in kinds.items()}
    assert of["a"] == (0, True), "head of r, twice"
    assert of["c"] == (1, False), "tail of s, twice"
    assert of["e"] is None, "in no training triple"
    assert sum(found.counts) == 4
    assert found.entities[0] == graph.entities.ids["a"], "the most linked first; of equals the lesser id"


def test_a_model_that_has_diverged_is_told_of():
    trained = module()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.fill_(torch.nan)
    assert entity_map(trained, 2) is None
    means = {"true": 1.0, "level_0.1": 0.5, "sampled": 0.0}
    parts = model_parts(trained, {"generated": {"mean_scores": means}}, "train", None, None)
    assert "NaN" in parts.no_predictions
    assert "diverged" in parts.no_map
    assert not parts.hardness.boxes
    assert "diverged" in parts.no_boxes


def test_examples_stand_in_the_order_of_filtered_scores():
    trained = module()
    right, wrong = examples(trained, "train", 4)
    assert wrong
    assert all(each.rank == 1 for each in right)
    for each in [*right, *wrong]:
        others = set(known_answers(trained.graph, each.query))
        (true,) = (answer for answer in each.answers if answer.is_true)
        assert true.rank == each.rank
        assert true.entity in others
        assert not {answer.entity for answer in each.answers if not answer.is_true} & others
        assert [answer.score for answer in each.answers] == sorted(
            (answer.score for answer in each.answers), reverse=True
        )
        assert [answer.rank for answer in each.answers] == sorted(answer.rank for answer in each.answers)
    assert len({each.query.relation for each in wrong}) > 1, "of several relations"


def known_answers(graph, query):
    """Of train, validation and test."""
    for head, relation, tail in torch.cat([graph.split(split) for split in ("train", "valid", "test")]).tolist():
        if query.head is None and (relation, tail) == (query.relation, query.tail):
            yield head
        if query.tail is None and (head, relation) == (query.head, query.relation):
            yield tail


def test_levels_stand_from_hard_to_easy():
    trained = module()
    quantiles = score_quantiles(trained)
    samples = score_samples(trained, trained.graph.valid)
    means = {name: float(score.mean()) for name, score in samples.items()}
    gradients = {"sampled/gradient": 2.0, "level_0.05/gradient": 1e-4, "level_0.5/gradient": 1.0}
    found = hardness({"generated": {"mean_scores": means, "diagnostics": gradients}}, quantiles)
    assert [row.name for row in found.rows] == [
        "true triples", *(f"generated, t = {t} T" for t in (0.05, 0.1, 0.2, 0.5)), "sampled negatives",
    ]  # fmt: skip
    assert found.rows[0].mean == f"{means['true']:.2f}"
    assert (found.rows[1].gradient, found.rows[4].gradient) == ("0.0 % (dead)", "50.0 %")
    assert found.boxes
    low, high = found.axis
    row = found.rows[0].strip
    assert row.value == pytest.approx(100 * (float(samples["true"].median()) - low) / (high - low), abs=6)
    falling = {"true": 3.0, "level_0.1": 2.0, "level_0.5": 1.0, "sampled": 0.0}
    assert "fall from hard to easy" in hardness({"generated": {"mean_scores": falling}}, None).verdict
    rising = {**falling, "level_0.5": 2.5}
    assert "do not fall" in hardness({"generated": {"mean_scores": rising}}, None).verdict
    assert hardness({"generated": {}}, None) is None


def test_settings_are_as_typed():
    values = {None: "null", True: "true", 9.0: "9", 0.0001: "0.0001", 1 / 3: str(1 / 3), "a b": "a b"}
    assert {value: plain_value(value) for value in values} == values
    assert plain_value([0.1, {"a": None}]) == "[0.1, {a: null}]"


def test_settings_of_an_object_that_only_some_have_go_without_saying():
    common = {"encoder": "Fusion", "encoder.absent": "mask", "scorer": "RotatE", "scorer.dim": "8"}
    found = {
        "A": {"encoder": "Plain", "scorer": "RotatE", "scorer.dim": "4"},
        "B": {**common, "encoder.fusion": "sum"},
        "C": {**common, "encoder.fusion": "max"},
    }
    table = differing_settings(found)
    assert table.columns == ("setting", "A", "B", "C")
    assert table.rows == [
        ("encoder", "Plain", "Fusion", "Fusion"), ("encoder.fusion", "", "sum", "max"), ("scorer.dim", "4", "8", "8"),
    ]  # fmt: skip
    assert differing_settings({"A": found["A"], "B": found["A"]}) is None
    assert differing_settings({}) is None


def luminance(colour):
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """As WCAG 2 defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_every_colour_that_text_has_can_be_read(mode):
    style = (TEMPLATES / "style.css").read_text()
    colours = dict(re.findall(r"--([\w]+): (#[0-9a-f]{6});", re.findall(r":root \{(.*?)\}", style, re.DOTALL)[mode]))
    texts = {name for name in colours if name in ("ink", "soft", "right", "wrong") or re.fullmatch(r"c\d", name)}
    assert len(texts) == 11
    for name in texts:
        for ground in ("bg", "card"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
