"""One table of scorers: each row has its formula in plain Python, against which every path of the scorer is held.

To add a scorer, add a row to ``CASES``: its constructor, the formula of a score, and the condition of Eqs. 7-9.
Formulas start from relation vectors as they are stored; the scorer sees them through `prepare`.
"""

import cmath
import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from dhns.kernels import chunks
from dhns.scorers.complex import ComplEx
from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance
from dhns.scorers.distmult import DistMult
from dhns.scorers.pairre import PairRE
from dhns.scorers.quate import QuatE
from dhns.scorers.rescal import RESCAL
from dhns.scorers.rotate import RotatE
from dhns.scorers.transd import TransD
from dhns.scorers.transe import TransE
from dhns.scorers.transh import TransH

ENTITIES, RELATIONS = 7, 3
TRIPLES = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(ENTITIES))
MARGIN, EPSILON, DIM = 4.0, 2.0, 3


def paired(vector):
    """Complex numbers from a vector of real parts, then imaginary parts."""
    half = len(vector) // 2
    return [complex(a, b) for a, b in zip(vector[:half], vector[half:], strict=True)]


def flat(numbers):
    return [z.real for z in numbers] + [z.imag for z in numbers]


def unit(vector):
    length = math.sqrt(sum(x * x for x in vector))
    return [x / length for x in vector]


def turns(relation):
    """The rotations e^{i theta} of a RotatE relation, whose vector is a phase times range / pi."""
    return [cmath.exp(1j * math.pi * x / ((MARGIN + EPSILON) / DIM)) for x in relation]


def translate(h, r, t):
    return MARGIN - sum(abs(a + b - c) for a, b, c in zip(h, r, t, strict=True))


def rotate(h, r, t):
    return MARGIN - sum(abs(a * turn - c) for a, turn, c in zip(paired(h), turns(r), paired(t), strict=True))


def rotated(e, r, head_side):
    return flat([a * (turn.conjugate() if head_side else turn) for a, turn in zip(paired(e), turns(r), strict=True)])


def multiply(h, r, t):
    return sum(a * b * c for a, b, c in zip(h, r, t, strict=True))


def multiply_complex(h, r, t):
    return sum(a * b * c.conjugate() for a, b, c in zip(paired(h), paired(r), paired(t), strict=True)).real


def multiplied_complex(e, r, head_side):
    return flat([a * (b.conjugate() if head_side else b) for a, b in zip(paired(e), paired(r), strict=True)])


def plus(sign_of_tail, sign_of_head):
    """Conditions of a translation: the observed entity plus or minus the relation where the tail, the head is made."""
    return lambda e, r, head_side: [
        a + (sign_of_head if head_side else sign_of_tail) * b for a, b in zip(e, r, strict=True)
    ]


def halves(vector):
    half = len(vector) // 2
    return vector[:half], vector[half:]


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def add(a, b, factor=1):
    return [x + factor * y for x, y in zip(a, b, strict=True)]


def l1(vector):
    return sum(map(abs, vector))


def l2(vector):
    return math.hypot(*vector)


def translated_on_hyperplane(e, r, head_side):
    """The point of a TransH query: entity and translation without their parts along the normal."""
    translation, normal = halves(r)
    normal = unit(normal)
    parts = (add(x, normal, -dot(x, normal)) for x in (e, translation))
    return add(*parts, -1 if head_side else 1)


def translate_on_hyperplane(norm):
    def score(h, r, t):
        still = [0] * len(t) + halves(r)[1]
        return MARGIN - norm(add(translated_on_hyperplane(h, r, False), translated_on_hyperplane(t, still, False), -1))

    return score


def moved(e, r):
    """e' of TransD by its matrix r_p e_p^T + I."""
    (vector, projection), (_, towards) = halves(e), halves(r)
    size = range(len(vector))
    matrix = [[towards[i] * projection[j] + (i == j) for j in size] for i in size]
    return [dot(row, vector) for row in matrix]


def translate_moved(norm, scaled=lambda vector: vector):
    return lambda h, r, t: MARGIN - norm(add(add(scaled(moved(h, r)), halves(r)[0]), scaled(moved(t, r)), -1))


def translated_moved(scaled=lambda vector: vector):
    return lambda e, r, head_side: (
        add(scaled(moved(e, r)), halves(r)[0], -1 if head_side else 1) + halves(r)[1]
    )  # fmt: skip


def times(a, b):
    return [x * y for x, y in zip(a, b, strict=True)]


def scale_both(h, r, t):
    for_head, for_tail = halves(r)
    return MARGIN - l1(add(times(unit(h), for_head), times(unit(t), for_tail), -1))


def rows(r):
    size = math.isqrt(len(r))
    return [r[size * i : size * (i + 1)] for i in range(size)]


def bilinear(h, r, t):
    return sum(h[i] * x * t[j] for i, row in enumerate(rows(r)) for j, x in enumerate(row))


def mapped(e, r, head_side):
    """M e where the head is made, M^T e where the tail is."""
    return [dot(e, row) for row in (rows(r) if head_side else zip(*rows(r), strict=True))]


def quaternions(vector):
    """Quaternions as complex 2 x 2 matrices, whose product is theirs."""
    size = len(vector) // 4
    parts = [vector[size * i : size * (i + 1)] for i in range(4)]
    return [
        [[complex(a, b), complex(c, d)], [complex(-c, d), complex(a, -b)]] for a, b, c, d in zip(*parts, strict=True)
    ]


def turned(e, r, head_side):
    """The Hamilton product with unit quaternions, or with their inverses where the head is made."""
    result = []
    for x, y in zip(quaternions(e), quaternions(r), strict=True):
        size = math.sqrt((y[0][0] * y[1][1] - y[0][1] * y[1][0]).real)
        if head_side:
            y = [[y[0][0].conjugate(), y[1][0].conjugate()], [y[0][1].conjugate(), y[1][1].conjugate()]]
        top = [sum(x[0][k] * y[k][j] for k in range(2)) / size for j in range(2)]
        result.append([top[0].real, top[0].imag, top[1].real, top[1].imag])
    return [part for parts in zip(*result, strict=True) for part in parts]


class Case(NamedTuple):
    make: Callable
    score: Callable
    condition: Callable


def transe(**options):
    return lambda: TransE(DIM, MARGIN, EPSILON, **options)


def transd(**options):
    return lambda: TransD(DIM, MARGIN, EPSILON, **options)


CASES = {
    "distmult": Case(lambda: DistMult(DIM), multiply, lambda e, r, _: [a * b for a, b in zip(e, r, strict=True)]),
    "complex": Case(lambda: ComplEx(DIM), multiply_complex, multiplied_complex),
    "rotate": Case(lambda: RotatE(DIM, MARGIN, EPSILON), rotate, rotated),
    "transe": Case(transe(), translate, plus(+1, -1)),
    "transe-unit": Case(transe(normalize=True), lambda h, r, t: translate(unit(h), unit(r), unit(t)), plus(+1, -1)),
    "transe-literal": Case(transe(condition_sign="literal"), translate, plus(+1, +1)),
    "transe-reference": Case(transe(condition_sign="reference"), translate, plus(-1, +1)),
    "transh": Case(lambda: TransH(DIM, MARGIN, EPSILON), translate_on_hyperplane(l1), translated_on_hyperplane),
    "transh-l2": Case(
        lambda: TransH(DIM, MARGIN, EPSILON, norm="l2"), translate_on_hyperplane(l2), translated_on_hyperplane
    ),
    "transd": Case(transd(), translate_moved(l1), translated_moved()),
    "transd-l2": Case(transd(norm="l2"), translate_moved(l2), translated_moved()),
    "transd-unit": Case(transd(normalize=True), translate_moved(l1, unit), translated_moved(unit)),
    "transd-unit-l2": Case(transd(normalize=True, norm="l2"), translate_moved(l2, unit), translated_moved(unit)),
    "pairre": Case(
        lambda: PairRE(DIM, MARGIN, EPSILON), scale_both, lambda e, r, side: times(unit(e), halves(r)[1 if side else 0])
    ),
    "rescal": Case(lambda: RESCAL(DIM), bilinear, mapped),
    "quate": Case(lambda: QuatE(DIM), lambda h, r, t: dot(turned(h, r, False), t), turned),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


@pytest.fixture
def scorer(case):
    return case.make()


@pytest.fixture
def stored(scorer):
    """Entity and relation vectors as a model stores them."""
    generator = torch.Generator().manual_seed(2)
    shape = {"generator": generator, "dtype": torch.float64}
    entities = torch.randn(ENTITIES, scorer.entity_width, **shape)
    return entities, torch.randn(RELATIONS, scorer.relation_width, **shape)


@pytest.fixture
def tables(scorer, stored):
    """Entity vectors, and relations as queries take them."""
    entities, relations = stored
    return entities, scorer.prepare(relations)


@pytest.fixture
def expected(case, stored):
    """Scores of ``TRIPLES`` by the formula."""
    entities, relations = (table.tolist() for table in stored)
    return torch.tensor(
        [case.score(entities[h], relations[r], entities[t]) for h, r, t in TRIPLES.tolist()], dtype=torch.float64
    )


def queries(head_side):
    """Known entity, relation, side and answer of every triple."""
    h, r, t = TRIPLES.T
    side = torch.full((len(TRIPLES),), head_side)
    return (t, r, side, h) if head_side else (h, r, side, t)


def test_score_is_the_formula(scorer, tables, expected):
    entities, relations = tables
    h, r, t = TRIPLES.T
    torch.testing.assert_close(scorer(entities[h], relations[r], entities[t]), expected)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_all_entities_as_answers_agree_with_the_formula(scorer, tables, expected, head_side):
    entities, relations = tables
    entity, relation, side, answer = queries(head_side)
    scores = scorer.score_all(entities[entity], relations[relation], side, entities)
    torch.testing.assert_close(scores.gather(1, answer[:, None])[:, 0], expected)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_candidates_as_answers_agree_with_the_formula(scorer, tables, expected, head_side):
    entities, relations = tables
    entity, relation, side, answer = queries(head_side)
    index = torch.stack([answer, answer.flip(0)], dim=1)
    scores = scorer.score_candidates(entities[entity], relations[relation], side, entities, index)
    torch.testing.assert_close(scores[:, 0], expected)
    everything = scorer.score_all(entities[entity], relations[relation], side, entities)
    torch.testing.assert_close(scores[:, 1], everything.gather(1, index[:, 1:])[:, 0])


def test_sides_mix_within_a_batch(scorer, tables, expected):
    entities, relations = tables
    side = torch.arange(len(TRIPLES)) % 3 == 0
    entity = torch.where(side, TRIPLES[:, 2], TRIPLES[:, 0])
    answer = torch.where(side, TRIPLES[:, 0], TRIPLES[:, 2])
    query = entities[entity], relations[TRIPLES[:, 1]], side, entities
    torch.testing.assert_close(scorer.score_candidates(*query, answer[:, None])[:, 0], expected)
    torch.testing.assert_close(scorer.score_all(*query).gather(1, answer[:, None])[:, 0], expected)


def test_condition_is_the_formula(case, scorer, stored, tables):
    entities, relations = stored
    e, r, head_side = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(2)).T
    expected = [
        case.condition(entities[i].tolist(), relations[j].tolist(), bool(side))
        for i, j, side in zip(e, r, head_side, strict=True)
    ]
    found = scorer.condition(entities[e], tables[1][r], head_side.bool())
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 2 * 3 * 8 * 6], ids=["row by row", "uneven"])
def test_tiles_change_nothing(scorer, tables, size, monkeypatch):
    entities, relations = (table.detach() for table in tables)
    index = torch.tensor([[0, 3, 3], [6, 1, 0], [2, 2, 5], [4, 0, 1], [1, 5, 6]])

    def scores_and_gradients():
        table = entities.clone().requires_grad_()
        query = scorer.query(entities[:5], relations[[0, 1, 2, 1, 0]]).requires_grad_()
        score = scorer.match_indexed(query, table, index)
        with torch.no_grad():
            everything = scorer.match_all(query, table)
        loss = score.square().sum() + scorer.match_all(query, table).square().sum()
        return score.detach(), everything, *torch.autograd.grad(loss, (query, table))

    whole = scores_and_gradients()
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", size)
    monkeypatch.setattr("dhns.scorers.tiles.DEFAULT_CHUNK_BYTES", size)
    torch.testing.assert_close(scores_and_gradients(), whole)


def test_a_query_that_hits_its_candidate_has_finite_gradients(scorer):
    """A relation of zeros leaves the entity where it is, in every distance scorer."""
    table = torch.ones(2, scorer.entity_width, dtype=torch.float64, requires_grad=True)
    still = scorer.prepare(torch.zeros(1, scorer.relation_width, dtype=torch.float64))
    query = scorer.query(table[:1].detach(), still).requires_grad_()
    index = torch.tensor([[0, 1]])
    for score in (scorer.match_indexed(query, table, index), scorer.match(query[:, None], table[index])):
        torch.testing.assert_close(score, torch.full_like(score, scorer.margin), rtol=0, atol=1e-5)
        gradients = torch.autograd.grad(score.sum(), (query, table))
        assert all(gradient.isfinite().all() for gradient in gradients)


SIZES = {
    "distmult": lambda vector: [abs(x) for x in vector],
    "complex": lambda vector: [abs(z) for z in paired(vector)],
    "quate": lambda vector: [math.hypot(*vector[i::DIM]) for i in range(DIM)],
}


@pytest.mark.parametrize("name", SIZES)
def test_magnitudes_are_the_sizes_of_the_numbers(name):
    scorer = CASES[name].make()
    vectors = torch.randn(2, 4, scorer.entity_width, dtype=torch.float64)
    expected = [[SIZES[name](vector) for vector in part] for part in vectors.tolist()]
    torch.testing.assert_close(scorer.magnitudes(vectors), torch.tensor(expected, dtype=torch.float64))


LONG = {
    "transh": lambda: TransH(16, norm="l2"),
    "transd": lambda: TransD(16, norm="l2"),
    "transd-unit": lambda: TransD(16, norm="l2", normalize=True),
}


@pytest.mark.parametrize("make", LONG.values(), ids=LONG.keys())
def test_distances_by_products_are_safe_in_single_precision(make):
    """Candidates all around the query, from the very point to far away."""
    scorer, generator = make(), torch.Generator().manual_seed(5)
    centre = torch.randn(1, scorer.entity_width, generator=generator)
    steps = torch.logspace(-6, 1, 20)[:, None] * torch.randn(20, scorer.entity_width, generator=generator)
    table = torch.cat([centre, centre + steps])
    translation, other = torch.zeros(1, 16), torch.randn(1, 16, generator=generator)
    query = scorer.query(centre, scorer.prepare(torch.cat([translation, other], dim=1)))
    found, exact = scorer.match_all(query, table), scorer.match(query.double()[:, None], table.double())
    length = query[:, :16].norm().item()
    assert (scorer.margin - found >= 0).all()
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=2e-3 * length)
    clear = (scorer.margin - exact) > 0.05 * length
    assert 3 <= clear.sum() < 15
    torch.testing.assert_close(found.double()[clear], exact[clear], rtol=0, atol=2e-5 * length)


def test_tiles_keep_single_precision_under_autocast():
    scorer, generator = TransH(16), torch.Generator().manual_seed(6)
    table, relation = (torch.randn(5, width, generator=generator) for width in (16, 32))
    query, index = scorer.query(table, scorer.prepare(relation)), torch.tensor([[0, 3], [1, 1], [4, 2], [2, 0], [3, 1]])
    inputs = query.requires_grad_(), table.requires_grad_()

    def score_and_gradients():
        score = scorer.match_indexed(*inputs, index)
        return score.detach(), *torch.autograd.grad(score.sum(), inputs)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = score_and_gradients()
    torch.testing.assert_close(mixed, score_and_gradients(), rtol=0, atol=0)
    half = table.bfloat16()
    torch.testing.assert_close(
        scorer.match_indexed(query, half, index), scorer.match_indexed(query, half.float(), index), rtol=0, atol=0
    )


def plain_distance(query, candidate, norm):
    difference = (query - candidate).tolist()
    if norm == "l2":
        return l2(difference)
    return sum(map(abs, difference if norm == "l1" else paired(difference)))


@pytest.fixture(params=["l1", "l2", "modulus"])
def norm(request):
    return request.param


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(4)
    query, table = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (5, 11))
    return query, table, torch.randint(11, (5, 4), generator=generator)


def test_distances_are_the_formula(points, norm):
    query, table, index = points
    expected = torch.tensor([[plain_distance(q, row, norm) for row in table] for q in query], dtype=torch.float64)
    torch.testing.assert_close(all_distances(query, table, norm), expected)
    torch.testing.assert_close(pairwise_distance(query[:, None], table, norm), expected)
    torch.testing.assert_close(indexed_distance(query, table, index, norm), expected.gather(1, index))


def distances_and_gradients(points, norm):
    query, table, index = points
    everything = all_distances(query, table, norm)
    query, table = query.clone().requires_grad_(), table.clone().requires_grad_()
    indexed = indexed_distance(query, table, index, norm)
    return everything, indexed.detach(), *torch.autograd.grad(indexed.square().sum(), (query, table))


@pytest.mark.parametrize("size", [1, 4 * 6 * 8 * 2, 4 * 6 * 8 * 3], ids=["row by row", "even", "uneven"])
def test_chunks_change_nothing(points, norm, size, monkeypatch):
    whole = distances_and_gradients(points, norm)
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", size)
    torch.testing.assert_close(distances_and_gradients(points, norm), whole)


def test_gradients_of_indexed_distances(points, norm):
    query, table, index = points
    index[0] = index[0, 0]  # a candidate drawn more than once collects several gradients
    assert (query[:, None] - table[index]).abs().min() > 1e-3, "finite differences need to stay clear of kinks"
    inputs = query.requires_grad_(), table.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, t: indexed_distance(q, t, index, norm), inputs)
