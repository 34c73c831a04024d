"""Contexts of a toy graph against means over its edges in plain Python, and the two stages of GC-OTE."""

import dataclasses

import pytest
import torch

from dhns.encoders import graph_context
from dhns.encoders.graph_context import GraphContext
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.queries import Queries
from dhns.models.kge_model import KGEModel
from dhns.scorers.gc_ote import GCOTE
from dhns.scorers.ote import OTE

DIM, GROUP, MARGIN = 6, 3, 4.0


def make_model(graph, **options):
    torch.manual_seed(0)
    scorer = GCOTE(DIM, GROUP, MARGIN)
    model = KGEModel(GraphContext(graph, scorer, **options), scorer, graph.num_relations).double()
    with torch.no_grad():
        model.relations[:, -DIM:].normal_()
    return model.eval()


@pytest.fixture
def model(toy_graph):
    return make_model(toy_graph)


def mean(rows):
    return torch.stack(rows).mean(0)


def predictions(model, graph):
    """What every edge predicts for its tail and for its head, by entity."""
    relations, entity = model.relation_table(), model.encoder.structure
    as_tail, as_head = ({e: [] for e in range(graph.num_entities)} for _ in range(2))
    for h, r, t in graph.train.tolist():
        as_tail[t].append(model.scorer.predict(entity[h], relations[r]))
        as_head[h].append(model.scorer.predict(entity[t], model.scorer.inverse(relations[r])))
    return as_tail, as_head


def test_contexts_are_means_over_edges_and_the_entity_itself(model, toy_graph):
    joint, entity = model.encode().joint, model.encoder.structure
    for e, edges in enumerate(zip(*(side.values() for side in predictions(model, toy_graph)), strict=True)):
        means = [mean([*predicted, entity[e]]) for predicted in edges]
        counts = joint.new_tensor([len(predicted) for predicted in edges])
        torch.testing.assert_close(joint[e], torch.cat([entity[e], *means, counts]))


def test_contexts_use_training_edges_only(toy_graph):
    changed = dataclasses.replace(toy_graph, valid=toy_graph.train, test=toy_graph.train)
    assert torch.equal(make_model(toy_graph).encode().joint, make_model(changed).encode().joint)
    fewer = dataclasses.replace(toy_graph, train=toy_graph.train[1:])
    assert not torch.equal(make_model(toy_graph).encode().joint, make_model(fewer).encode().joint)


def test_an_entity_without_edges_is_its_own_context(toy_graph):
    model = make_model(dataclasses.replace(toy_graph, train=toy_graph.train[:1]))
    entity = model.encoder.structure[5]
    torch.testing.assert_close(model.encode().joint[5], torch.cat([entity, entity, entity, torch.zeros(2).double()]))


def test_selected_entities_are_encoded_as_they_are_among_all(model):
    entity = torch.tensor([3, 0, 3, 7])
    some, everything = model.encode(entity), model.encode().rows(entity)
    torch.testing.assert_close(some.joint, everything.joint)
    assert torch.equal(some.views["structure"], everything.views["structure"])


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_blocks_change_nothing(model, rows, monkeypatch):
    whole = model.encode().joint
    monkeypatch.setattr(graph_context, "BLOCK_ROWS", rows)
    torch.testing.assert_close(model.encode().joint, whole)


def test_contexts_are_differentiable_in_entities_and_relations(model):
    def contexts(structure, relations):
        weights = {"encoder.structure": structure, "relations": relations}
        return torch.func.functional_call(model, weights, (torch.tensor([1, 4]),)).joint

    model.forward = model.encode
    assert torch.autograd.gradcheck(contexts, (model.encoder.structure, model.relations))


def test_neighbours_are_bounded_by_a_fixed_choice_of_edges(toy_graph):
    model = make_model(toy_graph, max_neighbours=2)
    joint, entity = model.encode().joint, model.encoder.structure
    as_tail, _ = predictions(model, toy_graph)
    hub = max(as_tail, key=lambda e: len(as_tail[e]))
    assert len(as_tail[hub]) > 3
    assert joint[:, -2:].max() == 2
    pairs = [mean([a, b, entity[hub]]) for i, a in enumerate(as_tail[hub]) for b in as_tail[hub][i + 1 :]]
    found = joint[hub, DIM : 2 * DIM]
    assert min((found - pair).abs().max() for pair in pairs) < 1e-9
    torch.manual_seed(99)
    again = GraphContext(toy_graph, model.scorer, max_neighbours=2)
    assert torch.equal(again._edge, model.encoder._edge)


def test_before_their_epoch_contexts_do_not_count_at_all(toy_graph):
    model = make_model(toy_graph, context_from_epoch=2)
    plain = KGEModel(StructuralEncoder(toy_graph, OTE(DIM, GROUP)), OTE(DIM, GROUP, MARGIN), toy_graph.num_relations)
    plain.double().load_state_dict({"relations": model.relations, "encoder.structure": model.encoder.structure})
    triples = toy_graph.train
    for side in (False, True):
        queries = Queries.of(triples, torch.full((len(triples),), side))
        assert torch.equal(model.score_all(queries), plain.score_all(queries))
    for mode in (True, False):
        model.train(mode)
        assert torch.equal(model.score_triples(triples), plain.score_triples(triples))
    model.encoder.start_epoch(2)
    assert not torch.allclose(model.score_triples(triples), plain.score_triples(triples))


def test_stages_follow_the_epochs(toy_graph):
    encoder = make_model(toy_graph, context_from_epoch=3).encoder
    widths = []
    for epoch in range(5):
        encoder.start_epoch(epoch)
        widths.append(bool(encoder.active))
    assert widths == [False, False, False, True, True]


def test_a_checkpoint_is_ranked_with_its_stage(toy_graph):
    trained, loaded = (make_model(toy_graph, context_from_epoch=3) for _ in range(2))
    trained.encoder.start_epoch(3)
    loaded.load_state_dict(trained.state_dict())
    assert torch.equal(loaded.encode().joint, trained.encode().joint)
    assert set(trained.state_dict()) == {"relations", "encoder.structure", "encoder.active"}


@pytest.mark.parametrize("head_side", [False, True], ids=["tail", "head"])
def test_score_of_a_triple_is_its_entry_among_all_entities(model, toy_graph, head_side):
    h, r, t = toy_graph.train.T
    entity, answer = (t, h) if head_side else (h, t)
    scores = model.score_all(Queries(entity, r, torch.full((len(r),), head_side)))
    torch.testing.assert_close(scores.gather(1, answer[:, None])[:, 0], model.score_triples(toy_graph.train))


def test_in_training_the_edge_of_a_triple_is_not_in_its_contexts(model, toy_graph):
    """Against a graph that lacks the edge."""
    found = model.train().score_triples(toy_graph.train)
    for index in range(0, len(toy_graph.train), 4):
        keep = torch.arange(len(toy_graph.train)) != index
        without = make_model(dataclasses.replace(toy_graph, train=toy_graph.train[keep]))
        without.load_state_dict(model.state_dict())
        torch.testing.assert_close(found[index], without.score_triples(toy_graph.train[index : index + 1])[0])


def test_generated_views_are_bare_entities(model):
    view = torch.randn(3, 2, 4, DIM)
    assert torch.equal(model.encoder.fuse({"structure": view}, {"structure": torch.ones(4)}), view)


def test_other_scorers_are_refused(toy_graph):
    with pytest.raises(InputError, match="encoder=graph_context needs scorer=gc_ote, and the scorer is OTE"):
        GraphContext(toy_graph, OTE(DIM, GROUP))


def test_a_context_needs_neighbours(toy_graph):
    with pytest.raises(InputError, match="max_neighbours is 0; expected at least 1"):
        GraphContext(toy_graph, GCOTE(DIM, GROUP), max_neighbours=0)
