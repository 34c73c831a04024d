"""Eqs. 12-13 against loops over levels, corruptions, views and positives."""

import itertools
import math

import pytest
import torch

from builders import embedded, noise_negatives, small_model
from dhns.generators.hardness_adaptive import HardnessAdaptiveLoss, scores_by_view
from dhns.generators.levels import HardnessLevel
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE

MARGIN = 3.0
LEVELS = (
    HardnessLevel(time=0.05, weight=0.5, margin=0.3),
    HardnessLevel(time=0.1, weight=1.0, margin=0.5),
    HardnessLevel(time=0.25, weight=2.0, margin=0.7),
    HardnessLevel(time=0.5, weight=0.25, margin=0.9),
)
SCORERS = {
    "rotate": lambda: RotatE(4, MARGIN),
    "transe": lambda: TransE(4, MARGIN, normalize=True),
    "distmult": lambda: DistMult(4, init_range=1.0),
    "complex": lambda: ComplEx(4, init_range=1.0),
}
SIDES = ("tail", "head")
KINDS = ("tail", "head", "both")


def log_sigmoid(x):
    return -math.log1p(math.exp(-x))


class Setting:
    """A model, positives of which some lack a view, and negatives; scores by loops."""

    def __init__(self, graph, scorer):
        self.scorer, self.model = scorer, small_model(graph, scorer)
        self.triples = graph.train
        self.positives = embedded(self.model, self.triples)
        self.negatives = noise_negatives(self.positives, len(LEVELS))
        self.views = tuple(self.negatives.views)
        self.positive = self.scorer(self.positives.head.joint, self.positives.relation, self.positives.tail.joint)
        masks = torch.stack(list(self.negatives.present.values()))
        assert not masks.all(), "some positive must lack a view"
        assert masks.all(0).any(), "some positive must have all views"

    def loss(self, levels=LEVELS, **options):
        loss = HardnessAdaptiveLoss(**options)
        scores = loss.score(self.negatives, self.model.encoder, self.scorer)
        return loss(self.positive, scores, levels, self.scorer).item()

    def present(self, row):
        return [view for view in self.views if self.negatives.present[view][row]]

    def score(self, kind, row, tail, head):
        """Score of one triple with its tail, its head, or both replaced."""
        h = self.positives.head.joint[row] if kind == "tail" else head
        t = self.positives.tail.joint[row] if kind == "head" else tail
        return self.scorer(h, self.positives.relation[row], t).item()

    def of_view(self, level, kind, row, view):
        tail, head = self.negatives.views[view][level, :, row]
        return self.score(kind, row, tail, head)

    def fuse(self, vectors):
        w = self.model.encoder.attention.weight[0]
        shares = torch.stack([w @ vector.tanh() for vector in vectors]).softmax(0)
        return sum(share * vector for share, vector in zip(shares, vectors, strict=True))

    def joint(self, how, level, kind, row):
        """The scores that a level has for one corruption of one positive: one, or one per present view."""
        views = self.present(row)
        if how == "fused":
            tail, head = (self.fuse([self.negatives.views[v][level, side, row] for v in views]) for side in (0, 1))
            return [self.score(kind, row, tail, head)]
        scores = [self.of_view(level, kind, row, view) for view in views]
        return scores if how == "separate" else [sum(scores) / len(scores)]

    def formula(self, how="mean_score", kinds=SIDES, margins=None, margin_on_positive=True, gamma=None):
        """``1/L sum_t [ mean_i -log s(p_i + shift_t) + w_t mean_n -log s(-(n + shift_t)) ]``.

        ``shift_t`` takes the scorer's own margin out and puts ``margins[t] * gamma`` in.
        """
        gamma = self.scorer.margin if gamma is None else gamma
        margins = [level.margin for level in LEVELS] if margins is None else margins
        rows = range(len(self.triples))
        total = 0.0
        for level, (hardness, margin) in enumerate(zip(LEVELS, margins, strict=True)):
            shift = margin * gamma - self.scorer.margin
            own = shift if margin_on_positive else 0.0
            total += sum(-log_sigmoid(self.positive[row].item() + own) for row in rows) / len(rows)
            scores = [s for kind, row in itertools.product(kinds, rows) for s in self.joint(how, level, kind, row)]
            total += hardness.weight * sum(-log_sigmoid(-(s + shift)) for s in scores) / len(scores)
        return total / len(LEVELS)


@pytest.fixture(params=SCORERS.values(), ids=SCORERS.keys())
def setting(request, toy_graph):
    return Setting(toy_graph, request.param())


@pytest.fixture
def rotate(toy_graph):
    return Setting(toy_graph, SCORERS["rotate"]())


@pytest.fixture
def distmult(toy_graph):
    return Setting(toy_graph, SCORERS["distmult"]())


@pytest.mark.parametrize("how", ["mean_score", "fused", "separate"])
def test_paper_loss_is_eq_13(setting, how):
    assert setting.loss(joint_scoring=how) == pytest.approx(setting.formula(how))


@pytest.mark.parametrize("how", ["mean_score", "fused", "separate"])
def test_both_ends_corrupted_is_a_third_kind(setting, how):
    assert setting.loss(joint_scoring=how, corrupt_both=True) == pytest.approx(setting.formula(how, KINDS))


def test_full_margin_on_the_positive(rotate):
    expected = rotate.formula(margin_on_positive=False)
    assert expected != pytest.approx(rotate.formula())
    assert rotate.loss(margin_on_positive=False) == pytest.approx(expected)


def test_without_hardness_all_levels_have_the_full_margin(rotate):
    expected = rotate.formula(margins=[1.0] * len(LEVELS))
    assert expected != pytest.approx(rotate.formula())
    assert rotate.loss(adaptive=False) == pytest.approx(expected)


def test_similarity_margin_of_scorers_without_one(distmult):
    expected = distmult.formula(gamma=2.0)
    assert expected != pytest.approx(distmult.formula())
    assert distmult.loss(similarity_margin=2.0) == pytest.approx(expected)


def test_similarity_margin_leaves_distance_scorers_alone(rotate):
    assert rotate.loss(similarity_margin=2.0) == rotate.loss()


@pytest.mark.parametrize(("scorer", "how"), [("rotate", "fused"), ("transe", "fused"), ("distmult", "mean_score")])
def test_reference_loss_is_that_of_the_published_code(toy_graph, scorer, how):
    """``1/12 sum_i w_i sum_{head, tail, both} 1/2 [-log s(p) - log s(-s_ik)]``, ``s_ik = m_i margin - distance``."""
    setting = Setting(toy_graph, SCORERS[scorer]())
    expected, rows = 0.0, range(len(setting.triples))
    for level, hardness in enumerate(LEVELS):
        for kind, row in itertools.product(KINDS, rows):
            (score,) = setting.joint(how, level, kind, row)
            generated = hardness.margin * setting.scorer.margin + (score - setting.scorer.margin)
            pair = -log_sigmoid(setting.positive[row].item()) - log_sigmoid(-generated)
            expected += hardness.weight * pair / 2 / len(rows)
    found = setting.loss(
        joint_scoring=how, corrupt_both=True, margin_on_positive=False, weight_positive=True, halved=True
    )
    assert found == pytest.approx(expected / 12)


def test_levels_of_weight_zero_neither_count_nor_pull(rotate):
    silent = HardnessLevel(time=0.0, weight=0.0, margin=0.1)
    negatives = noise_negatives(rotate.positives, len(LEVELS) + 1)
    rotate.negatives = noise_negatives(rotate.positives, len(LEVELS))
    for view, value in negatives.views.items():
        value[1:] = rotate.negatives.views[view]
    expected = rotate.loss()
    rotate.negatives = negatives
    assert rotate.loss(levels=(silent, *LEVELS)) == pytest.approx(expected)


def test_terms_are_per_level(rotate):
    loss = HardnessAdaptiveLoss()
    scores = loss.score(rotate.negatives, rotate.model.encoder, rotate.scorer)
    positive, negative = loss.terms(rotate.positive, scores, LEVELS, rotate.scorer)
    assert positive.shape == negative.shape == (len(LEVELS),)
    assert (positive.sum() + negative.sum()).item() == pytest.approx(rotate.loss())


def test_scores_by_view_are_of_tails_and_heads(setting):
    for view, found in scores_by_view(setting.negatives, setting.scorer).items():
        assert not found.requires_grad
        rows = range(len(setting.triples))
        expected = [[setting.of_view(1, kind, row, view) for row in rows] for kind in SIDES]
        torch.testing.assert_close(found[1], torch.tensor(expected, dtype=torch.float64))


def test_missing_views_of_negatives_have_no_influence(setting):
    before = {how: setting.loss(joint_scoring=how, corrupt_both=True) for how in ("mean_score", "fused", "separate")}
    for view, mask in setting.negatives.present.items():
        setting.negatives.views[view][:, :, ~mask] += 100
    for how, loss in before.items():
        assert setting.loss(joint_scoring=how, corrupt_both=True) == pytest.approx(loss)
