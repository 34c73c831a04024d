"""One table of scorers: each row has its formula in plain Python, against which every path of the scorer is held.

To add a scorer, add a row to ``CASES``: its constructor, the formula of a score, and the condition of Eqs. 7-9.
"""

import cmath
import math
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch

from dhns.scorers import distance
from dhns.scorers.complex import ComplEx
from dhns.scorers.distance import all_distances, indexed_distance, pairwise_distance
from dhns.scorers.distmult import DistMult
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE

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


class Case(NamedTuple):
    make: Callable
    score: Callable
    condition: Callable


def transe(**options):
    return lambda: TransE(DIM, MARGIN, EPSILON, **options)


CASES = {
    "distmult": Case(lambda: DistMult(DIM), multiply, lambda e, r, _: [a * b for a, b in zip(e, r, strict=True)]),
    "complex": Case(lambda: ComplEx(DIM), multiply_complex, multiplied_complex),
    "rotate": Case(lambda: RotatE(DIM, MARGIN, EPSILON), rotate, rotated),
    "transe": Case(transe(), translate, plus(+1, -1)),
    "transe-unit": Case(transe(normalize=True), lambda h, r, t: translate(unit(h), unit(r), unit(t)), plus(+1, -1)),
    "transe-literal": Case(transe(condition_sign="literal"), translate, plus(+1, +1)),
    "transe-reference": Case(transe(condition_sign="reference"), translate, plus(-1, +1)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


@pytest.fixture
def scorer(case):
    return case.make()


@pytest.fixture
def tables(scorer):
    generator = torch.Generator().manual_seed(2)
    shape = {"generator": generator, "dtype": torch.float64}
    entities = torch.randn(ENTITIES, scorer.entity_width, **shape)
    return entities, torch.randn(RELATIONS, scorer.relation_width, **shape)


@pytest.fixture
def expected(case, tables):
    """Scores of ``TRIPLES`` by the formula."""
    entities, relations = (table.tolist() for table in tables)
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


def test_scores_broadcast(scorer, tables):
    entities, relations = tables
    grid = scorer(entities[:, None, None], relations[:, None], entities)
    torch.testing.assert_close(grid.flatten(), scorer(*(table[i] for table, i in zip(
        (entities, relations, entities), TRIPLES.T, strict=True))))  # fmt: skip


def test_inverse_of_the_inverse_is_the_relation(scorer, tables):
    torch.testing.assert_close(scorer.inverse(scorer.inverse(tables[1])), tables[1])


def test_condition_is_the_formula(case, scorer, tables):
    entities, relations = tables
    e, r, head_side = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(2)).T
    expected = [
        case.condition(entities[i].tolist(), relations[j].tolist(), bool(side))
        for i, j, side in zip(e, r, head_side, strict=True)
    ]
    found = scorer.condition(entities[e], relations[r], head_side.bool())
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_training_and_ranking_paths_have_the_same_gradients(scorer, tables):
    """Chunked, indexed scores against the plain formula under autograd."""
    index = torch.tensor([[0, 3, 3], [6, 1, 0]])
    gradients = []
    for indexed in (True, False):
        entities, relations = (table.clone().requires_grad_() for table in tables)
        query = scorer.query(entities[[1, 2]], relations[[0, 2]])
        score = scorer.match_indexed(query, entities, index) if indexed else scorer.match(
            query[:, None], entities[index]
        )  # fmt: skip
        gradients.append(torch.autograd.grad(score.square().sum(), (entities, relations)))
    torch.testing.assert_close(*gradients)


def test_ranking_all_entities_is_the_same_with_and_without_autograd(scorer, tables):
    entities, relations = tables
    query = scorer.query(entities, relations[[0] * ENTITIES])
    plain = scorer.match_all(query, entities)
    tracked = scorer.match_all(query.clone().requires_grad_(), entities)
    assert tracked.requires_grad
    torch.testing.assert_close(plain, tracked.detach())


def test_a_query_that_hits_its_candidate_has_finite_gradients(scorer):
    query = torch.ones(1, scorer.entity_width, dtype=torch.float64, requires_grad=True)
    table = torch.ones(2, scorer.entity_width, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 1]])
    for score in (scorer.match_indexed(query, table, index), scorer.match(query[:, None], table[index])):
        gradients = torch.autograd.grad(score.sum(), (query, table))
        assert all(gradient.isfinite().all() for gradient in gradients)


def plain_distance(query, candidate, norm):
    difference = (query - candidate).tolist()
    return sum(map(abs, difference if norm == "l1" else paired(difference)))


@pytest.fixture(params=["l1", "modulus"])
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
    monkeypatch.setitem(distance.CHUNK_BYTES, "cpu", size)
    torch.testing.assert_close(distances_and_gradients(points, norm), whole)


def test_gradients_of_indexed_distances(points, norm):
    query, table, index = points
    index[0] = index[0, 0]  # a candidate drawn more than once collects several gradients
    assert (query[:, None] - table[index]).abs().min() > 1e-3, "finite differences need to stay clear of kinks"
    inputs = query.requires_grad_(), table.requires_grad_()
    assert torch.autograd.gradcheck(lambda q, t: indexed_distance(q, t, index, norm), inputs)
