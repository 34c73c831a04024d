"""OTE and GC-OTE, every path held against Gram-Schmidt and distances in plain Python."""

import math

import pytest
import torch

from dhns.errors import InputError
from dhns.kernels import chunks
from dhns.scorers.gc_ote import GCOTE
from dhns.scorers.ote import OTE

ENTITIES, RELATIONS = 6, 3
DIM, GROUP, MARGIN = 6, 3, 4.0
TRIPLES = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(ENTITIES))
SCORERS = {"ote": OTE, "gc_ote": GCOTE}


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def gram_schmidt(matrix):
    """Rows of the matrix whose columns are the orthonormalised columns of ``matrix``."""
    basis = []
    for column in zip(*matrix, strict=True):
        rest = list(column)
        for unit in basis:
            share = dot(unit, column)
            rest = [x - share * y for x, y in zip(rest, unit, strict=True)]
        length = math.sqrt(dot(rest, rest))
        basis.append([x / length for x in rest])
    return [list(row) for row in zip(*basis, strict=True)]


def groups(vector):
    return [vector[i : i + GROUP] for i in range(0, len(vector), GROUP)]


def matrices(relation):
    """One orthonormal matrix per group, from the learned numbers of a relation."""
    numbers = relation[: DIM * GROUP]
    return [
        gram_schmidt([numbers[i + GROUP * j : i + GROUP * (j + 1)] for j in range(GROUP)])
        for i in range(0, len(numbers), GROUP * GROUP)
    ]


def predicted_tail(head, relation):
    """``e^s Q h``."""
    turned = [dot(row, part) for m, part in zip(matrices(relation), groups(head), strict=True) for row in m]
    return [math.exp(s) * x for s, x in zip(relation[-DIM:], turned, strict=True)]


def predicted_head(tail, relation):
    """``Q' e^-s t``, the inverse."""
    shrunk = [math.exp(-s) * x for s, x in zip(relation[-DIM:], tail, strict=True)]
    return [
        dot(column, part)
        for m, part in zip(matrices(relation), groups(shrunk), strict=True)
        for column in zip(*m, strict=True)
    ]


def between(a, b):
    """The sum over groups of the lengths of differences."""
    difference = groups([x - y for x, y in zip(a, b, strict=True)])
    return sum(math.sqrt(dot(part, part)) for part in difference)


def plain_score(h, r, t):
    return MARGIN - (between(predicted_tail(h, r), t) + between(predicted_head(t, r), h)) / 2


def context_score(h, r, t, hidden=False):
    """The mean of four distances, of ``[entity; context as a tail; context as a head; edges of each]``.

    ``hidden`` takes the prediction of the triple itself out of the means that the contexts are.
    """
    tail, head = predicted_tail(h[:DIM], r), predicted_head(t[:DIM], r)
    context_of_tail, context_of_head = t[DIM : 2 * DIM], h[2 * DIM : 3 * DIM]
    if hidden:
        context_of_tail, context_of_head = (
            [((n + 1) * c - p) / n for c, p in zip(context, prediction, strict=True)]
            for context, prediction, n in ((context_of_tail, tail, t[-2]), (context_of_head, head, h[-1]))
        )
    distances = between(tail, t[:DIM]), between(tail, context_of_tail), between(head, h[:DIM])
    return MARGIN - (sum(distances) + between(head, context_of_head)) / 4


def make_tables(width=DIM):
    generator = torch.Generator().manual_seed(2)
    shape = {"generator": generator, "dtype": torch.float64}
    return torch.randn(ENTITIES, width, **shape), torch.randn(RELATIONS, DIM * (GROUP + 1), **shape)


def formula(score, entities, relations, **options):
    rows, numbers = entities.tolist(), relations.tolist()
    return torch.tensor([score(rows[h], numbers[r], rows[t], **options) for h, r, t in TRIPLES.tolist()]).double()


class Case:
    """A scorer in evaluation mode, its tables, and the scores of ``TRIPLES``."""

    def __init__(self, kind, context):
        self.scorer = kind(DIM, GROUP, MARGIN).eval()
        self.entities, self.relations = make_tables(3 * DIM + 2 if context else DIM)
        if context:
            self.entities[:, -2:] = torch.arange(1, 2 * ENTITIES + 1).view(ENTITIES, 2)
        self.expected = formula(context_score if context else plain_score, self.entities, self.relations)

    @property
    def prepared(self):
        return self.scorer.prepare(self.relations)


@pytest.fixture(params=[(OTE, False), (GCOTE, False), (GCOTE, True)], ids=["ote", "gc_ote bare", "gc_ote"])
def case(request):
    return Case(*request.param)


def queries(head_side):
    """Known entity, relation, side and answer of every triple."""
    h, r, t = TRIPLES.T
    side = torch.full((len(TRIPLES),), head_side)
    return (t, r, side, h) if head_side else (h, r, side, t)


def test_score_is_the_formula(case):
    h, r, t = TRIPLES.T
    torch.testing.assert_close(case.scorer(case.entities[h], case.prepared[r], case.entities[t]), case.expected)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_all_entities_as_answers_agree_with_the_formula(case, head_side):
    entity, relation, side, answer = queries(head_side)
    scores = case.scorer.score_all(case.entities[entity], case.prepared[relation], side, case.entities)
    torch.testing.assert_close(scores.gather(1, answer[:, None])[:, 0], case.expected)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_candidates_as_answers_agree_with_the_formula(case, head_side):
    entity, relation, side, answer = queries(head_side)
    index = torch.stack([answer, answer.flip(0)], dim=1)
    query = case.entities[entity], case.prepared[relation], side, case.entities
    scores = case.scorer.score_candidates(*query, index)
    torch.testing.assert_close(scores[:, 0], case.expected)
    torch.testing.assert_close(scores[:, 1], case.scorer.score_all(*query).gather(1, index[:, 1:])[:, 0])


@pytest.mark.parametrize("size", [1, 4096], ids=["row by row", "many rows"])
def test_sides_mix_within_a_batch(case, size, monkeypatch):
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", size)
    side = torch.arange(len(TRIPLES)) % 3 == 0
    entity = torch.where(side, TRIPLES[:, 2], TRIPLES[:, 0])
    answer = torch.where(side, TRIPLES[:, 0], TRIPLES[:, 2])
    query = case.entities[entity], case.prepared[TRIPLES[:, 1]], side, case.entities
    torch.testing.assert_close(case.scorer.score_candidates(*query, answer[:, None])[:, 0], case.expected)
    torch.testing.assert_close(case.scorer.score_all(*query).gather(1, answer[:, None])[:, 0], case.expected)


def test_prepared_matrices_are_gram_schmidt(case):
    prepared = case.prepared[:, : DIM * GROUP].reshape(RELATIONS, -1, GROUP, GROUP)
    expected = [matrices(relation) for relation in case.relations.tolist()]
    torch.testing.assert_close(prepared, torch.tensor(expected, dtype=torch.float64))


def test_orthonormalised_again_nothing_changes(case):
    again = case.scorer.prepare(case.prepared[:, :-1])
    torch.testing.assert_close(again, case.prepared)


def test_what_the_tail_predicts_from_a_prediction_is_the_head(case):
    own = case.entities[:, :DIM]
    tail = case.scorer.predict(own, case.prepared[:1])
    torch.testing.assert_close(case.scorer.predict(tail, case.scorer.inverse(case.prepared[:1])), own)


def test_condition_is_the_prediction_from_the_observed_end(case):
    e, r, head_side = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(2)).T
    entities, relations = case.entities[:, :DIM], case.relations.tolist()
    expected = [
        (predicted_head if side else predicted_tail)(entities[i].tolist(), relations[j])
        for i, j, side in zip(e, r, head_side, strict=True)
    ]
    found = case.scorer.condition(entities[e], case.prepared[r], head_side.bool())
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("size", [1, 2**20], ids=["row by row", "at once"])
def test_indexed_and_plain_paths_have_the_same_gradients(case, size, monkeypatch):
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", size)
    index, inverse = torch.tensor([[0, 3, 3], [5, 1, 0], [2, 4, 1]]), torch.tensor([False, True, False])
    gradients = []
    for indexed in (True, False):
        entities, relations = case.entities.clone().requires_grad_(), case.relations.clone().requires_grad_()
        relation = case.scorer.directed(case.scorer.prepare(relations)[[0, 2, 2]], inverse)
        query = case.scorer.query(entities[[1, 2, 4]], relation)
        score = (
            case.scorer.match_indexed(query, entities, index)
            if indexed
            else case.scorer.match(query[:, None], entities[index])
        )
        gradients.append(torch.autograd.grad(score.square().sum(), (entities, relations)))
    torch.testing.assert_close(*gradients)


def test_gradients_are_those_of_the_score(case):
    h, r, t = TRIPLES[::7].T
    # the numbers of edges are not learned
    learned = case.entities[:, : 3 * DIM].clone().requires_grad_(), case.relations.clone().requires_grad_()

    def score(vectors, relations):
        entities = torch.cat([vectors, case.entities[:, 3 * DIM :]], dim=1)
        return case.scorer(entities[h], case.scorer.prepare(relations)[r], entities[t])

    assert torch.autograd.gradcheck(score, learned)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
@pytest.mark.parametrize("size", [1, 2**20], ids=["column by column", "at once"])
def test_ranking_all_entities_is_the_same_with_and_without_autograd(case, head_side, size, monkeypatch):
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", size)
    relation = case.prepared[[0, 1, 1, 2, 0, 0]]
    relation = case.scorer.inverse(relation) if head_side else relation
    query = case.scorer.query(case.entities, relation)
    tracked = case.scorer.match_all(query.clone().requires_grad_(), case.entities)
    assert tracked.requires_grad
    torch.testing.assert_close(case.scorer.match_all(query, case.entities), tracked.detach())


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_a_query_that_hits_its_candidate_has_finite_gradients(case, head_side):
    own = case.entities[:2, :DIM]
    relation = case.scorer.directed(case.prepared[:1], torch.tensor([head_side]))
    query = case.scorer.query(own[:1], relation).detach().requires_grad_()
    table = case.scorer.predict(own, relation).detach().requires_grad_()
    score = case.scorer.match_indexed(query, table, torch.tensor([[0, 1]]))
    assert score[0, 0].item() == pytest.approx(MARGIN)
    assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(score.sum(), (query, table)))


@pytest.mark.parametrize("kind", SCORERS.values(), ids=SCORERS.keys())
def test_relations_start_as_rotations_without_scale(kind):
    scorer = kind(DIM, GROUP, MARGIN)
    relations = scorer.initial_relations(4)
    assert relations.shape == (4, scorer.relation_width)
    blocks = relations[:, : DIM * GROUP].reshape(-1, GROUP, GROUP)
    torch.testing.assert_close(blocks @ blocks.mT, torch.eye(GROUP).expand(len(blocks), -1, -1))
    assert not relations[:, -DIM:].any()
    assert len(blocks[:, 0, 0].unique()) == len(blocks)


def test_a_short_vector_is_one_group():
    assert OTE(8, group=20).group == 8


def test_groups_must_divide_the_width():
    with pytest.raises(InputError, match=r"scorer.group is 20, .* scorer.dim 64; choose from 1, 2, 4, 8, 16, 32, 64"):
        OTE(64)


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_entities_without_context_are_scored_as_ote_does_exactly(head_side):
    entities, relations = make_tables()
    plain, context = (kind(DIM, GROUP, MARGIN).train() for kind in (OTE, GCOTE))
    prepared = plain.prepare(relations)
    assert torch.equal(context.prepare(relations), prepared)
    h, r, t = TRIPLES.T
    assert torch.equal(context(entities[h], prepared[r], entities[t]), plain(entities[h], prepared[r], entities[t]))
    entity, relation, side, answer = queries(head_side)
    query = entities[entity], prepared[relation], side, entities
    assert torch.equal(context.score_all(*query), plain.score_all(*query))
    assert torch.equal(
        context.score_candidates(*query, answer[:, None]), plain.score_candidates(*query, answer[:, None])
    )


def test_an_entity_that_is_its_own_context_is_scored_as_ote_does():
    entities, relations = make_tables()
    scorer = GCOTE(DIM, GROUP, MARGIN).eval()
    wide = torch.cat([entities, entities, entities, torch.zeros(ENTITIES, 2)], dim=1)
    h, r, t = TRIPLES.T
    expected = formula(plain_score, entities, relations)
    torch.testing.assert_close(scorer(wide[h], scorer.prepare(relations)[r], wide[t]), expected)


def test_in_training_a_triple_is_left_out_of_its_own_contexts():
    case = Case(GCOTE, context=True)
    h, r, t = TRIPLES.T
    found = case.scorer.train()(case.entities[h], case.prepared[r], case.entities[t])
    torch.testing.assert_close(found, formula(context_score, case.entities, case.relations, hidden=True))
    assert (found < case.expected).all(), "without its own edge a triple is never nearer to a context"
