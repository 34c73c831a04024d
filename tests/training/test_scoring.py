"""Scores of a batch, against the model's scores of the same triples one by one."""

import dataclasses

import pytest
import torch

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives, embed_queries, score_negatives
from dhns.models.kge_model import KGEModel
from dhns.scorers.complex import ComplEx
from dhns.scorers.rotate import RotatE

SIDES = torch.tensor([False, True, True, False])


@pytest.fixture(params=[False, True], ids=["inverse", "reciprocal"])
def model(request, toy_graph):
    torch.manual_seed(0)
    scorer = ComplEx(3)
    return KGEModel(AttentionFusion(toy_graph, scorer), scorer, toy_graph.num_relations, request.param).double()


@pytest.fixture
def triples(toy_graph):
    return toy_graph.train[[0, 4, 11, 14]]


def test_sampled_negatives_are_scored_as_triples(model, triples):
    entity = torch.tensor([[1, 2], [3, 3], [0, 5], [7, 8]])
    _, positive, negatives, _ = score_negatives(model, triples, Negatives(Queries.of(triples, SIDES), entity))
    torch.testing.assert_close(positive, model.score_triples(triples, SIDES))
    for column in range(2):
        corrupted = triples.clone()
        corrupted[SIDES, 0], corrupted[~SIDES, 2] = entity[SIDES, column], entity[~SIDES, column]
        torch.testing.assert_close(negatives[:, column], model.score_triples(corrupted, SIDES))


def test_a_replaced_view_comes_from_another_entity(toy_graph, triples):
    """Against a graph in which the entity really has the other's text."""
    torch.manual_seed(0)
    scorer = RotatE(2, margin=2.0)
    model = KGEModel(AttentionFusion(toy_graph, scorer), scorer, toy_graph.num_relations).double()
    entity = torch.where(SIDES, triples[:, 0], triples[:, 2])[:, None]  # the true ones: only their texts are replaced
    texts = torch.tensor([[3], [4], [9], [1]])
    found = score_negatives(model, triples, Negatives(Queries.of(triples, SIDES), entity, views={"textual": texts}))[2][
        :, 0
    ]
    for row, (head_side, text) in enumerate(zip(SIDES.tolist(), texts[:, 0].tolist(), strict=True)):
        replaced = int(entity[row])
        encoded = model.encode()
        features = model.encoder.features["textual"].features.clone()
        features[replaced] = features[text]
        twin = KGEModel(AttentionFusion(toy_graph, scorer), scorer, toy_graph.num_relations).double()
        twin.load_state_dict(model.state_dict())
        twin.encoder.features["textual"].features = features
        joint, changed = encoded.joint, twin.encode().joint[replaced]
        head, relation, tail = joint[triples[row, 0]], model.relations[triples[row, 1]], joint[triples[row, 2]]
        expected = scorer(changed, relation, tail) if head_side else scorer(head, relation, changed)
        torch.testing.assert_close(found[row], expected)


def test_queries_are_distinct_and_have_all_their_answers(model, toy_graph):
    triples = toy_graph.train.repeat(2, 1)
    head_side = torch.arange(len(triples)) >= len(toy_graph.train)
    batch, queries = embed_queries(model, triples, head_side)
    encoded = batch.encoded
    asked = [(int(t if side else h), int(r), bool(side)) for (h, r, t), side in zip(triples, head_side, strict=True)]
    assert len(queries.entity) == len(set(asked)) == len(queries.row.unique())
    scores = model.scorer.score_all(queries.entity, queries.relation, queries.head_side, encoded.joint)
    torch.testing.assert_close(scores[queries.row, queries.answer], model.score_triples(triples, head_side))
    rows = {}
    for query, row in zip(asked, queries.row.tolist(), strict=True):
        assert rows.setdefault(query, row) == row
    assert torch.equal(batch.positives().head.joint, encoded.joint[triples[:, 0]])


def test_a_graph_of_one_modality_has_views_to_replace_too(toy_graph, triples):
    graph = dataclasses.replace(toy_graph, modalities={"textual": toy_graph.modalities["textual"]})
    scorer = RotatE(2)
    model = KGEModel(AttentionFusion(graph, scorer), scorer, graph.num_relations)
    own = torch.where(SIDES, triples[:, 0], triples[:, 2])[:, None]
    _, same, own_again, _ = score_negatives(
        model, triples, Negatives(Queries.of(triples, SIDES), own, views={"textual": own})
    )
    torch.testing.assert_close(own_again[:, 0], same)
