"""TuckER, every path held against the sum of products in plain Python."""

import math

import pytest
import torch

from dhns.errors import InputError
from dhns.scorers.tucker import TuckER

ENTITIES, RELATIONS = 6, 3
DIM, RELATION_DIM = 4, 3
TRIPLES = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(ENTITIES))
DROPOUT = {"input_dropout": 0.5, "core_dropout": 0.5, "query_dropout": 0.5}
NO_DROPOUT = dict.fromkeys(DROPOUT, 0.0)


def make(**options):
    torch.manual_seed(0)
    scorer = TuckER(DIM, RELATION_DIM, **options).double()
    for norm in (scorer.input_norm, scorer.query_norm):
        if norm is not None:
            for values in (norm.running_mean, norm.bias, norm.weight):
                values.data.normal_()
            norm.running_var.uniform_(0.5, 2)
    return scorer


def make_tables():
    generator = torch.Generator().manual_seed(2)
    shape = {"generator": generator, "dtype": torch.float64}
    return torch.randn(ENTITIES, DIM, **shape), torch.randn(RELATIONS, RELATION_DIM, **shape)


def standardized(vector, norm):
    if norm is None:
        return vector
    parts = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    return [
        (x - mean) / math.sqrt(variance + norm.eps) * weight + bias
        for x, mean, variance, weight, bias in zip(vector, *(part.tolist() for part in parts), strict=True)
    ]


def query(scorer, e, r, head_side=False):
    """Row or column times the matrix of a relation, with batch normalisation before and after."""
    core, e = scorer.core.tolist(), standardized(e, scorer.input_norm)
    product = [
        sum(r[k] * e[i] * (core[k][j][i] if head_side else core[k][i][j]) for k in range(len(r)) for i in range(DIM))
        for j in range(DIM)
    ]
    return standardized(product, scorer.query_norm)


def score(scorer, h, r, t):
    return sum(x * y for x, y in zip(query(scorer, h, r), t, strict=True))


class Case:
    """A scorer in evaluation mode, its tables, and the scores of ``TRIPLES``."""

    def __init__(self, normalize):
        self.scorer = make(normalize=normalize, **DROPOUT).eval()
        self.entities, self.relations = make_tables()
        rows, numbers = self.entities.tolist(), self.relations.tolist()
        self.expected = torch.tensor(
            [score(self.scorer, rows[h], numbers[r], rows[t]) for h, r, t in TRIPLES.tolist()], dtype=torch.float64
        )
        self.prepared = self.scorer.prepare(self.relations)


@pytest.fixture
def plain():
    return Case(normalize=False)


@pytest.fixture(params=[False, True], ids=["plain", "normalized"])
def case(request):
    return Case(request.param)


def test_score_is_the_formula(case):
    h, r, t = TRIPLES.T
    torch.testing.assert_close(case.scorer(case.entities[h], case.prepared[r], case.entities[t]), case.expected)


def test_tails_as_answers_agree_with_the_formula(case):
    h, r, t = TRIPLES.T
    asked = case.entities[h], case.prepared[r], torch.zeros(len(h), dtype=torch.bool), case.entities
    torch.testing.assert_close(case.scorer.score_all(*asked).gather(1, t[:, None])[:, 0], case.expected)
    torch.testing.assert_close(case.scorer.score_candidates(*asked, t[:, None])[:, 0], case.expected)


def test_heads_as_answers_agree_with_the_formula(plain):
    h, r, t = TRIPLES.T
    asked = plain.entities[t], plain.prepared[r], torch.ones(len(h), dtype=torch.bool), plain.entities
    torch.testing.assert_close(plain.scorer.score_all(*asked).gather(1, h[:, None])[:, 0], plain.expected)
    torch.testing.assert_close(plain.scorer.score_candidates(*asked, h[:, None])[:, 0], plain.expected)


def test_sides_mix_within_a_batch(plain):
    side = torch.arange(len(TRIPLES)) % 3 == 0
    entity = torch.where(side, TRIPLES[:, 2], TRIPLES[:, 0])
    answer = torch.where(side, TRIPLES[:, 0], TRIPLES[:, 2])
    asked = plain.entities[entity], plain.prepared[TRIPLES[:, 1]], side, plain.entities
    torch.testing.assert_close(plain.scorer.score_candidates(*asked, answer[:, None])[:, 0], plain.expected)
    torch.testing.assert_close(plain.scorer.score_all(*asked).gather(1, answer[:, None])[:, 0], plain.expected)


def test_condition_is_the_query_of_either_side(plain):
    e, r, head_side = torch.cartesian_prod(torch.arange(ENTITIES), torch.arange(RELATIONS), torch.arange(2)).T
    entities, relations = plain.entities.tolist(), plain.relations.tolist()
    expected = [
        query(plain.scorer, entities[i], relations[j], bool(side)) for i, j, side in zip(e, r, head_side, strict=True)
    ]
    found = plain.scorer.train().condition(plain.entities[e], plain.prepared[r], head_side.bool())
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def test_gradients_are_those_of_the_score(plain):
    """Rows of both directions share a relation, whose matrix is made once."""
    side = torch.tensor([True, False, False, True, False])
    entity, relation, answer = (
        torch.tensor([0, 3, 3, 5, 1]),
        torch.tensor([2, 0, 2, 2, 0]),
        torch.tensor([1, 1, 4, 0, 2]),
    )

    def scores(entities, relations, core):
        rows = plain.scorer.directed(plain.scorer.prepare(relations)[relation], side)
        return torch.func.functional_call(plain.scorer, {"core": core}, (entities[entity], rows, entities[answer]))

    learned = plain.entities, plain.relations, plain.scorer.core.detach().clone()
    assert torch.autograd.gradcheck(scores, tuple(table.requires_grad_() for table in learned))


@pytest.mark.parametrize("name", DROPOUT)
def test_dropout_acts_in_training_and_keeps_the_mean(name):
    scorer = make(normalize=False, **NO_DROPOUT | {name: 0.3}).train()
    entities, relations = make_tables()
    relation = scorer.prepare(relations)[:1]
    sampled = torch.cat([scorer.query(entities[:1], relation) for _ in range(400)])
    assert len(sampled.unique(dim=0)) > 1
    exact = scorer.eval().query(entities[:1], relation)
    error = (sampled.mean(0) - exact[0]).abs() / (sampled.std(0) / math.sqrt(len(sampled)))
    assert error.max() < 5, "in standard errors"


def test_dropout_draws_from_the_global_generator():
    scorer = make(normalize=False, **DROPOUT).train()
    entities, relations = make_tables()
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(scorer.query(entities, scorer.prepare(relations)[[0] * ENTITIES]))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_rows_of_a_relation_share_what_is_dropped_of_the_core():
    scorer = make(normalize=False, **NO_DROPOUT | {"core_dropout": 0.5}).train()
    entities, relations = make_tables()
    twice = scorer.query(entities[[2, 2]], scorer.prepare(relations)[[1, 1]])
    assert torch.equal(twice[0], twice[1])


def test_training_normalizes_over_the_batch_and_keeps_statistics():
    scorer = make(**NO_DROPOUT).train()
    entities, relations = make_tables()
    before = scorer.query_norm.running_mean.clone()
    found = scorer.query(entities, scorer.prepare(relations)[[0, 1, 2, 0, 1, 2]])
    torch.testing.assert_close(found.mean(0), scorer.query_norm.bias.detach())
    assert not torch.equal(scorer.query_norm.running_mean, before)
    scorer.condition(entities, scorer.prepare(relations)[[0] * ENTITIES], torch.zeros(ENTITIES, dtype=torch.bool))
    after = scorer.query_norm.running_mean.clone()
    scorer.query(entities[:1], scorer.prepare(relations)[:1])
    assert torch.equal(scorer.query_norm.running_mean, after), "one row has no variance"


def test_normalized_scores_have_one_side_only():
    scorer, (entities, relations) = make(), make_tables()
    with pytest.raises(InputError, match=r"reciprocal=true.* or scorer.normalize=false"):
        scorer.query(entities[:1], scorer.inverse(scorer.prepare(relations)[:1]))


def test_relation_vectors_are_as_long_as_entities_by_default():
    assert TuckER(5).core.shape == (5, 5, 5)
    assert make().initial_relations(7).shape == (7, RELATION_DIM)


def test_initialisation():
    torch.manual_seed(0)
    scorer = TuckER(20, 30)
    assert 0.99 < scorer.core.abs().max() <= 1
    assert scorer.initial_relations(300).std().item() == pytest.approx(math.sqrt(2 / 330), rel=0.05)
