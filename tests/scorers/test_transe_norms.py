"""TransE with squared Euclidean distances, and what can be written as an inner product."""

import pytest
import torch

from dhns.errors import InputError
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult
from dhns.scorers.quate import QuatE
from dhns.scorers.rescal import RESCAL
from dhns.scorers.rotate import RotatE
from dhns.scorers.transe import TransE

MARGIN = 2.5


def unit(vector):
    length = sum(x * x for x in vector) ** 0.5
    return [x / length for x in vector]


def formula(head, relation, tail, normalize):
    """``margin - |h + r - t|^2`` by loops."""
    h, r, t = ([float(x) for x in vector] for vector in (head, relation, tail))
    if normalize:
        h, r, t = unit(h), unit(r), unit(t)
    return MARGIN - sum((a + b - c) ** 2 for a, b, c in zip(h, r, t, strict=True))


@pytest.fixture(params=[False, True], ids=["free", "normalised"])
def squared(request):
    return TransE(5, MARGIN, normalize=request.param, norm="l2_squared")


@pytest.fixture
def vectors():
    """Entities, relations, a candidate table and indices into it."""
    draw = torch.Generator().manual_seed(0)
    entity, relation, table = (torch.randn(n, 5, generator=draw, dtype=torch.float64) for n in (4, 4, 9))
    return entity, relation, table, torch.randint(9, (4, 3), generator=draw)


def test_scores_are_the_formula(squared, vectors):
    entity, relation, table, index = vectors
    tails = torch.tensor(
        [[formula(e, r, t, squared.normalize) for t in table] for e, r in zip(entity, relation, strict=True)],
        dtype=torch.float64,
    )
    heads = torch.tensor(
        [[formula(h, r, e, squared.normalize) for h in table] for e, r in zip(entity, relation, strict=True)],
        dtype=torch.float64,
    )
    for side, expected in ((False, tails), (True, heads)):
        head_side = torch.full((4,), side)
        torch.testing.assert_close(squared.score_all(entity, relation, head_side, table), expected)
        found = squared.score_candidates(entity, relation, head_side, table, index)
        torch.testing.assert_close(found, expected.gather(1, index))
    torch.testing.assert_close(squared(entity[:, None], relation[:, None], table), tails)


def test_gradients(squared, vectors):
    entity, relation, table, index = vectors
    inputs = entity.requires_grad_(), relation.requires_grad_(), table.requires_grad_()
    head_side = torch.tensor([True, False, True, False])
    assert torch.autograd.gradcheck(lambda e, r, t: squared.score_all(e, r, head_side, t), inputs)
    assert torch.autograd.gradcheck(lambda e, r, t: squared.score_candidates(e, r, head_side, t, index), inputs)


def test_half_precision_elsewhere_does_not_reach_the_squares(squared, vectors):
    entity, relation, table, index = (part.float() if part.is_floating_point() else part for part in vectors)
    table = table + 30  # |t|^2 in the thousands, of which bfloat16 keeps two digits
    head_side = torch.zeros(4, dtype=torch.bool)
    squared.eval()
    exact = squared.score_all(entity + 30, relation, head_side, table)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        everything = squared.score_all(entity + 30, relation, head_side, table)
        some = squared.score_candidates(entity + 30, relation, head_side, table, index)
    torch.testing.assert_close(everything, exact, rtol=0, atol=1e-5)
    torch.testing.assert_close(some, exact.gather(1, index), rtol=0, atol=1e-2)


@pytest.mark.parametrize(
    "scorer",
    [DistMult(4), ComplEx(2), RESCAL(4), QuatE(1), TransE(4, MARGIN, norm="l2_squared")],
    ids=lambda scorer: type(scorer).__name__,
)
def test_factors_are_vectors_whose_inner_products_are_scores(scorer):
    draw = torch.Generator().manual_seed(1)
    query, table = (torch.randn(n, 4, generator=draw, dtype=torch.float64) for n in (3, 6))
    left, right = scorer.factors(query, table)
    assert left.shape[1] == right.shape[1] < 8
    products = [[sum(a * b for a, b in zip(q, e, strict=True)) for e in right.tolist()] for q in left.tolist()]
    torch.testing.assert_close(torch.tensor(products, dtype=torch.float64), scorer.match(query[:, None], table))


@pytest.mark.parametrize("scorer", [TransE(4), RotatE(2)], ids=["TransE", "RotatE"])
def test_other_distances_have_no_factors(scorer):
    with pytest.raises(InputError, match=rf"{type(scorer).__name__} is no inner product.*scorer.norm=l2_squared"):
        scorer.factors(torch.ones(1, 4), torch.ones(2, 4))
