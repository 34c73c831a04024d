"""Training against all entities takes memory for a chunk of differences and for the scores, not for all differences."""

import pytest
import torch

from builders import Largest
from dhns.kernels import c_pairs, chunks
from dhns.scorers.gc_ote import GCOTE
from dhns.scorers.ote import OTE
from dhns.scorers.pairre import PairRE
from dhns.scorers.rotate import RotatE
from dhns.scorers.scorer import Scorer
from dhns.scorers.transd import TransD
from dhns.scorers.transe import TransE
from dhns.scorers.transh import TransH

QUERIES, ENTITIES, DIM = 40, 200, 32


class Cosine(Scorer):
    """Of somebody else's package: three formulas, and a parameter of its own in the match."""

    def __init__(self, dim):
        super().__init__()
        self.entity_width = self.relation_width = dim
        self.init_range = 1.0
        self.temperature = torch.nn.Parameter(torch.tensor(2.0))

    def inverse(self, relation):
        return -relation

    def query(self, entity, relation):
        return entity + relation

    def match(self, query, candidate):
        return self.temperature * torch.cosine_similarity(query, candidate, dim=-1)


@pytest.fixture(params=[RotatE, TransE, PairRE, TransH, TransD, OTE, GCOTE, Cosine], ids=lambda kind: kind.__name__)
def scorer(request):
    return request.param(DIM, group=4) if issubclass(request.param, OTE) else request.param(DIM)


def train(scorer):
    """The largest tensor of a step, and its gradients."""
    torch.manual_seed(0)
    table = torch.randn(ENTITIES, scorer.entity_width, requires_grad=True)
    stored = scorer.initial_relations(QUERIES).requires_grad_()
    with Largest() as largest:
        query = scorer.query(table[:QUERIES], scorer.prepare(stored))
        score = scorer.match_all(query, table)
        score.square().sum().backward()
    return largest.numbers, [table.grad, stored.grad, *(parameter.grad for parameter in scorer.parameters())]


def test_no_tensor_of_all_differences(scorer, monkeypatch):
    monkeypatch.setattr(c_pairs, "usable", lambda *_: False)
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 2**30)
    whole, expected = train(scorer)
    monkeypatch.setitem(chunks.CHUNK_BYTES, "cpu", 2**14)
    monkeypatch.setattr("dhns.scorers.tiles.DEFAULT_CHUNK_BYTES", 4 * 2 * ENTITIES * DIM)
    largest, found = train(scorer)
    assert whole >= QUERIES * ENTITIES * DIM
    assert largest <= 2 * ENTITIES * (QUERIES + DIM)
    for gradient, other in zip(found, expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=1e-4, atol=1e-3)
