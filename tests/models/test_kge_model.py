"""Batches are encoded once per distinct entity, and triples score the same on every path."""

import pytest
import torch

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.structural import StructuralEncoder
from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel
from dhns.scorers.complex import ComplEx
from dhns.scorers.rotate import RotatE


@pytest.fixture(params=[StructuralEncoder, AttentionFusion])
def model(request, toy_graph):
    torch.manual_seed(0)
    scorer = RotatE(4, margin=2.0)
    return KGEModel(request.param(toy_graph, scorer), scorer, toy_graph.num_relations)


def test_distinct_entities_are_encoded_once(model, toy_graph):
    triples, candidates = toy_graph.train[:5], torch.tensor([[0, 0, 1]] * 5)
    encoded_ids, everything = [], model.encoder().joint
    model.encoder.register_forward_pre_hook(lambda _, args: encoded_ids.append(args[0]))
    encoded, (head, tail, candidate) = model.encode_distinct(triples[:, 0], triples[:, 2], candidates)
    (ids,) = encoded_ids
    assert len(ids) == len(ids.unique())
    for row, id_ in ((head, triples[:, 0]), (tail, triples[:, 2]), (candidate, candidates)):
        assert torch.equal(ids[row], id_)
    torch.testing.assert_close(encoded.joint, everything[ids])


def test_a_large_graph_is_encoded_in_parts(model, toy_graph, monkeypatch):
    whole, asked = model.joint_table(), []
    monkeypatch.setattr("dhns.models.kge_model.ENCODED_AT_ONCE", 3)
    model.encoder.register_forward_pre_hook(lambda _, args: asked.append(args[0]))
    parts = model.joint_table()
    torch.testing.assert_close(parts, whole)
    assert not parts.requires_grad
    if isinstance(model.encoder, StructuralEncoder):
        assert parts.data_ptr() == model.encoder.structure.data_ptr()
    else:
        assert torch.cat(asked).tolist() == list(range(toy_graph.num_entities))
        assert max(map(len, asked)) == 3


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
@pytest.mark.parametrize("cached", [False, True])
def test_score_of_a_triple_is_its_entry_among_all_entities(model, toy_graph, head_side, cached):
    h, r, t = toy_graph.train.T
    entity, answer = (t, h) if head_side else (h, t)
    table = model.encoder().joint if cached else None
    scores = model.score_all(Queries(entity, r, torch.full((len(r),), head_side)), table)
    torch.testing.assert_close(scores.gather(1, answer[:, None])[:, 0], model.score_triples(toy_graph.train))


def test_relations_are_initialised_in_the_range_of_the_scorer(toy_graph):
    scorer = ComplEx(64, init_range=0.3)
    model = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, toy_graph.num_relations)
    assert model.relations.shape == (toy_graph.num_relations, 128)
    assert 0.25 < model.relations.abs().max() <= 0.3


@pytest.fixture
def reciprocal(toy_graph):
    torch.manual_seed(0)
    scorer = ComplEx(4)
    return KGEModel(StructuralEncoder(toy_graph, scorer), scorer, toy_graph.num_relations, reciprocal=True)


def test_reciprocal_relations_are_vectors_of_their_own(reciprocal, toy_graph):
    assert len(reciprocal.relations) == 2 * toy_graph.num_relations
    h, r, t = toy_graph.train.T
    joint, scorer = reciprocal.encode().joint, reciprocal.scorer
    as_tails = scorer(joint[h], reciprocal.relations[r], joint[t])
    as_heads = scorer(joint[t], reciprocal.relations[r + toy_graph.num_relations], joint[h])
    assert not torch.allclose(as_tails, as_heads)
    side = torch.arange(len(h)) % 2 == 1
    torch.testing.assert_close(reciprocal.score_triples(toy_graph.train), as_tails)
    torch.testing.assert_close(reciprocal.score_triples(toy_graph.train, side), torch.where(side, as_heads, as_tails))
    entity, answer = torch.where(side, t, h), torch.where(side, h, t)
    everything = reciprocal.score_all(Queries(entity, r, side))
    torch.testing.assert_close(everything.gather(1, answer[:, None])[:, 0], torch.where(side, as_heads, as_tails))


@pytest.mark.parametrize("is_reciprocal", [False, True])
def test_candidates_are_entries_of_the_scores_of_all_entities(is_reciprocal, reciprocal, toy_graph):
    model = reciprocal
    if not is_reciprocal:
        model = KGEModel(reciprocal.encoder, reciprocal.scorer, toy_graph.num_relations)
    queries = Queries.of(toy_graph.train, torch.arange(len(toy_graph.train)) % 3 == 0)
    candidates = torch.randint(12, (len(toy_graph.train), 4), generator=torch.Generator().manual_seed(1))
    found = model.score_candidates(queries, candidates)
    torch.testing.assert_close(found, model.score_all(queries).gather(1, candidates))
