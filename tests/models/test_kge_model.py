"""Batches are encoded once per distinct entity, and triples score the same on every path."""

import pytest
import torch

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.structural import StructuralEncoder
from dhns.losses.regularizer import PowerNorm
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
    encoded, head, tail, candidate = model.encode_batch(triples, candidates)
    (ids,) = encoded_ids
    assert len(ids) == len(ids.unique())
    for row, id_ in ((head, triples[:, 0]), (tail, triples[:, 2]), (candidate, candidates)):
        assert torch.equal(ids[row], id_)
    torch.testing.assert_close(encoded.joint, everything[ids])


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
@pytest.mark.parametrize("cached", [False, True])
def test_score_of_a_triple_is_its_entry_among_all_entities(model, toy_graph, head_side, cached):
    h, r, t = toy_graph.train.T
    entity, answer = (t, h) if head_side else (h, t)
    table = model.encoder().joint if cached else None
    scores = model.score_all(entity, r, torch.full((len(r),), head_side), table)
    torch.testing.assert_close(scores.gather(1, answer[:, None])[:, 0], model.score_triples(toy_graph.train))


def test_relations_are_initialised_in_the_range_of_the_scorer(toy_graph):
    scorer = ComplEx(64, init_range=0.3)
    model = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, toy_graph.num_relations)
    assert model.relations.shape == (toy_graph.num_relations, 128)
    assert 0.25 < model.relations.abs().max() <= 0.3


def test_power_norm_of_whole_tables(model, toy_graph):
    tables = (model.encoder.structure, model.relations)
    expected = 0.5 * sum(abs(x) ** 3 for table in tables for x in table.flatten().tolist())
    assert PowerNorm(0.5)(model, toy_graph.train[:2]).item() == pytest.approx(expected, rel=1e-5)


def test_power_norm_of_a_batch(model, toy_graph):
    triples = toy_graph.train[:4]
    penalty = 0.0
    for h, r, t in triples.tolist():
        for row in (model.encoder.structure[h], model.encoder.structure[t], model.relations[r]):
            penalty += sum(abs(x) ** 2 for x in row.tolist())
    expected = 0.5 * penalty / len(triples)
    assert PowerNorm(0.5, p=2.0, rows="batch")(model, triples).item() == pytest.approx(expected, rel=1e-5)
