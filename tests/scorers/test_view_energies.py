"""Energies over pairs of views against the papers' formulas in plain Python, on every path and side."""

import cmath
import functools
import math

import pytest
import torch

from dhns.errors import InputError
from dhns.kernels import chunks
from dhns.scorers.pairre import PairRE
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE
from dhns.scorers.view_energies import ViewEnergies

ENTITIES, RELATIONS, DIM, MARGIN, EPSILON = 6, 2, 4, 6.0, 2.0
TRIPLES = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(ENTITIES))
FOUR = [[0, 0], [1, 1], [1, 0], [0, 1]]


def translated(h, r, t):
    return sum(abs(a + b - c) for a, b, c in zip(h, r, t, strict=True))


def rotated(share):
    """RotatE's distance, whose phases are in units of its initialisation at a margin."""

    def distance_of(h, r, t):
        half = len(h) // 2
        turns = [cmath.exp(1j * math.pi * x / ((share + EPSILON) / DIM)) for x in r]
        pairs = zip(zip(h[:half], h[half:], strict=True), turns, zip(t[:half], t[half:], strict=True), strict=True)
        return sum(abs(complex(*a) * turn - complex(*c)) for a, turn, c in pairs)

    return distance_of


def ikrl(h, r, t):
    (hs, hi), (ts, ti) = h, t
    return MARGIN - (translated(hs, r, ts) + translated(hi, r, ti) + translated(hi, r, ts) + translated(hs, r, ti))


def tbkgc(h, r, t):
    (hs, hm, _), (ts, tm, _) = h, t
    four = translated(hs, r, ts) + translated(hm, r, tm) + translated(hm, r, ts) + translated(hs, r, tm)
    both = [[a + b for a, b in zip(*e, strict=True)] for e in ((hs, hm), (ts, tm))]
    return MARGIN - four - translated(both[0], r, both[1])


def mmkrl(h, r, t):
    (hs, hp, hm), (ts, tp, tm) = h, t
    energies = translated(hp, r, tp), translated(hm, r, tm), translated(hm, r, ts), translated(hs, r, tm)
    return MARGIN - sum(energies) / 4


def vbkgc(h, r, t):
    (hs, hm), (ts, tm), d = h, t, rotated(MARGIN / 4)
    return MARGIN - d(hs, r, ts) - d(hm, r, tm) - d(hm, r, ts) - d(hs, r, tm)


def vbkgc_mean(h, r, t):
    (hs, hm), (ts, tm), d = h, t, rotated(MARGIN)
    return MARGIN - (d(hs, r, ts) + d(hm, r, tm) + d(hm, r, ts) + d(hs, r, tm)) / 4


def energies(scorer, pairs, reduction="sum"):
    return ViewEnergies(functools.partial(scorer, epsilon=EPSILON), DIM, MARGIN, pairs, reduction)


CASES = {
    "ikrl": (lambda: energies(TransE, FOUR), 2, ikrl),
    "tbkgc": (lambda: energies(TransE, [*FOUR, [2, 2]]), 3, tbkgc),
    "mmkrl": (lambda: energies(TransE, [[1, 1], [2, 2], [2, 0], [0, 2]], "mean"), 3, mmkrl),
    "vbkgc": (lambda: energies(RotatE, FOUR), 2, vbkgc),
    "vbkgc-mean": (lambda: energies(RotatE, FOUR, "mean"), 2, vbkgc_mean),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


@pytest.fixture
def scorer(case):
    return case[0]()


@pytest.fixture
def tables(case, scorer):
    generator = torch.Generator().manual_seed(4)
    views = torch.randn(ENTITIES, case[1], scorer.entity_width, generator=generator, dtype=torch.float64)
    if case[2] is tbkgc:
        views[:, 2] = views[:, 0] + views[:, 1]
    relations = torch.randn(RELATIONS, scorer.relation_width, generator=generator, dtype=torch.float64)
    return views.flatten(1), relations


@pytest.fixture
def expected(case, scorer, tables):
    _, views, formula = case
    entities = tables[0].view(ENTITIES, views, -1).tolist()
    relations = tables[1].tolist()
    return torch.tensor([formula(entities[h], relations[r], entities[t]) for h, r, t in TRIPLES.tolist()]).double()


def asked(head_side):
    h, r, t = TRIPLES.T
    side = torch.full((len(TRIPLES),), head_side)
    return (t, r, side, h) if head_side else (h, r, side, t)


def close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_score_is_the_formula(scorer, tables, expected):
    h, r, t = TRIPLES.T
    close(scorer(tables[0][h], tables[1][r], tables[0][t]), expected)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_every_path_is_the_formula_on_both_sides(scorer, tables, expected, head_side):
    entity, relation, side, answer = asked(head_side)
    query = tables[0][entity], tables[1][relation], side, tables[0]
    with torch.no_grad():
        close(scorer.score_all(*query).gather(1, answer[:, None])[:, 0], expected)
    index = torch.stack([answer, answer.flip(0)], dim=1)
    scores = scorer.score_candidates(*query, index)
    close(scores[:, 0], expected)
    close(scores[:, 1], scorer.score_all(*query).gather(1, index[:, 1:])[:, 0])


def test_indexed_scores_have_the_gradients_of_plain_ones(scorer, tables, monkeypatch):
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 1)
    index = torch.tensor([[0, 3, 3], [5, 1, 0]])
    gradients = []
    for indexed in (True, False):
        entities, relations = (table.clone().requires_grad_() for table in tables)
        query = scorer.query(entities[[1, 2]], relations)
        plain = scorer.match(query[:, None], entities[index])
        score = scorer.match_indexed(query, entities, index) if indexed else plain
        gradients.append(torch.autograd.grad(score.square().sum(), (entities, relations)))
    torch.testing.assert_close(*gradients)
    assert all((gradient != 0).any() for gradient in gradients[0])


def test_gradients_are_those_of_differences(scorer, tables):
    entities, relations = (table.clone().requires_grad_() for table in tables)
    index = torch.tensor([[0, 3], [4, 1]])
    assert torch.autograd.gradcheck(
        lambda e, r: scorer.match_indexed(scorer.query(e[[1, 2]], r), e, index), (entities, relations), atol=1e-4
    )


def test_the_margin_is_that_of_the_score(scorer, tables):
    assert scorer.margin == MARGIN
    still = torch.zeros(1, tables[0].shape[1]), torch.zeros(1, scorer.relation_width)
    torch.testing.assert_close(scorer(*still, still[0]), torch.tensor([MARGIN]), atol=1e-4, rtol=0)


def test_one_view_stands_for_all(scorer, tables):
    """As views that a generator makes, which are scored one by one."""
    width = scorer.entity_width
    lone, relation = tables[0][:, :width], tables[1][:1]
    repeated = lone.repeat(1, tables[0].shape[1] // width)
    whole = scorer(repeated[:3], relation, repeated[3:])
    close(scorer(lone[:3], relation, lone[3:]), whole)
    close(scorer.match(scorer.query(repeated[:3], relation), lone[3:]), whole)


def test_the_condition_is_that_of_one_energy(scorer, tables):
    view, side = tables[0][:2, : scorer.entity_width], torch.tensor([False, True])
    expected = scorer.energy.condition(view, tables[1], side)
    assert expected.shape == view.shape
    torch.testing.assert_close(scorer.condition(view, tables[1], side), expected)


def test_any_distance_scorer_serves():
    """PairRE: queries are wider than views, and the initialisation is its own."""
    scorer = energies(PairRE, FOUR)
    plain = PairRE(DIM, MARGIN / 4, EPSILON)
    entities, relations = torch.randn(4, 2 * DIM), torch.randn(2, 2 * DIM)
    head, tail = (rows.view(2, 2, DIM) for rows in (entities[:2], entities[2:]))
    expected = sum(plain(head[:, a], relations, tail[:, b]) for a, b in FOUR)
    torch.testing.assert_close(scorer(entities[:2], relations, entities[2:]), expected)
    index = torch.tensor([[2], [3]])
    query = scorer.query(entities[:2], relations)
    torch.testing.assert_close(scorer.match_indexed(query, entities, index)[:, 0], expected)
    assert scorer.init_range == plain.init_range
    assert scorer.initial_relations(3).shape == (3, 2 * DIM)


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([], r"scorer.pairs is \[\]; expected pairs"),
        ([[0, 0], [1]], r"scorer.pairs is \[\[0, 0\], \[1\]\]; expected pairs"),
        ([0, 1], "expected pairs"),
        ([[0, -1], [-1, 0]], "expected pairs"),
        ([["s", "v"], ["v", "s"]], "expected pairs"),
        ([[0, 0], [0, 1]], r"scorer.pairs lacks \[1, 0\]"),
    ],
)
def test_pairs_that_cannot_be(pairs, message):
    with pytest.raises(InputError, match=message):
        energies(TransE, pairs)


def test_views_that_the_encoder_lacks_are_named():
    scorer = energies(TransE, [*FOUR, [2, 2]])
    entity = torch.zeros(1, 2 * DIM)
    with pytest.raises(InputError, match=r"scorer.pairs names view 2, but the encoder puts 2 views side by side"):
        scorer(entity, torch.zeros(1, DIM), entity)
