"""Penalties on the size of embeddings against sums by hand."""

import math

import pytest
import torch

from dhns.encoders.structural import StructuralEncoder
from dhns.losses.regularizer import PowerNorm
from dhns.models.kge_model import KGEModel
from dhns.scorers.complex import ComplEx
from dhns.scorers.distmult import DistMult

WEIGHT = 0.4
TRIPLES = [[0, 0, 1], [0, 2, 3], [5, 2, 0]]  # entity 0 three times, relation 2 twice
HEAD_SIDE = [False, True, False]


def sizes(scorer, row):
    """Absolute values, or moduli of complex numbers: real parts, then imaginary ones."""
    if isinstance(scorer, DistMult):
        return [abs(x) for x in row]
    half = len(row) // 2
    return [math.hypot(a, b) for a, b in zip(row[:half], row[half:], strict=True)]


def power(scorer, row, p):
    return sum(size**p for size in sizes(scorer, row.tolist()))


@pytest.fixture(params=[DistMult(4), ComplEx(3)], ids=["distmult", "complex"])
def scorer(request):
    return request.param


@pytest.fixture
def make_model(toy_graph, scorer):
    def make(reciprocal=False):
        torch.manual_seed(0)
        return KGEModel(StructuralEncoder(toy_graph, scorer), scorer, toy_graph.num_relations, reciprocal)

    return make


def penalty(model, **options):
    return PowerNorm(WEIGHT, **options)(model, torch.tensor(TRIPLES), torch.tensor(HEAD_SIDE))


@pytest.mark.parametrize("p", [2.0, 3.0])
@pytest.mark.parametrize("reciprocal", [False, True])
def test_all_rows(make_model, scorer, reciprocal, p):
    model = make_model(reciprocal)
    assert len(model.relations) == (6 if reciprocal else 3)
    rows = [*model.encoder.structure.detach(), *model.relations.detach()]
    expected = WEIGHT * sum(power(scorer, row, p) for row in rows)
    assert penalty(model, p=p).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("p", [2.0, 3.0])
@pytest.mark.parametrize("reciprocal", [False, True])
def test_rows_of_the_batch_count_as_often_as_they_occur(make_model, scorer, reciprocal, p):
    model, expected = make_model(reciprocal), 0.0
    for (head, relation, tail), head_side in zip(TRIPLES, HEAD_SIDE, strict=True):
        asked = relation + 3 if reciprocal and head_side else relation
        rows = model.encoder.structure[head], model.encoder.structure[tail], model.relations[asked]
        expected += WEIGHT * sum(power(scorer, row, p) for row in rows) / len(TRIPLES)
    assert penalty(model, p=p, rows="batch").item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reciprocal", [False, True])
def test_only_rows_of_the_batch_shrink(make_model, reciprocal):
    model = make_model(reciprocal)
    penalty(model, rows="batch").backward()
    assert model.encoder.structure.grad.any(1).nonzero().flatten().tolist() == [0, 1, 3, 5]
    # relation 2 is asked for a tail, and by entity 3 for a head
    assert model.relations.grad.any(1).nonzero().flatten().tolist() == ([0, 2, 5] if reciprocal else [0, 2])


def test_gradients_of_moduli_are_finite_at_zero(toy_graph):
    model = KGEModel(StructuralEncoder(toy_graph, ComplEx(3)), ComplEx(3), toy_graph.num_relations)
    with torch.no_grad():
        model.encoder.structure.zero_()
    penalty(model).backward()
    assert model.encoder.structure.grad.isfinite().all()
