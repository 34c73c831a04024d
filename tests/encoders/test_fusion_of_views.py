"""Additive fusion with its gate, and views side by side with vectors of their own."""

from dataclasses import replace

import pytest
import torch

from dhns.encoders.additive_fusion import AdditiveFusion
from dhns.encoders.separate_views import SeparateViews
from dhns.scorers.complex import ComplEx

UNSEEN = 11  # of the toy graph: no training triple names it


@pytest.fixture
def scorer():
    torch.manual_seed(0)
    return ComplEx(3)


def trained(encoder):
    """With projections that are not zero."""
    with torch.no_grad():
        for project in encoder.features.projections.values():
            project.weight.normal_()
            project.bias.normal_()
    return encoder


def projected(encoder, graph, name):
    """With features whose absolute values sum to 10 on average over the entities that have them."""
    project, modality = encoder.features.projections[name], graph.modalities[name]
    size = modality.features[modality.present].abs().sum(1).mean()
    return 10 / size * modality.features @ project.weight.T + project.bias


def test_structure_is_added_to_the_features_that_there_are(toy_graph, scorer):
    encoder = trained(AdditiveFusion(toy_graph, scorer))
    visual, textual = (projected(encoder, toy_graph, name) for name in ("visual", "textual"))
    for entity, row in enumerate(encoder().joint):
        expected = encoder.structure[entity] + textual[entity]
        if entity % 2 == 0:
            expected = expected + visual[entity]
        assert torch.allclose(row, expected, atol=1e-5)


def test_at_first_structure_is_what_it_would_be_alone(toy_graph, scorer):
    encoder = AdditiveFusion(toy_graph, scorer)
    assert torch.equal(encoder().joint, encoder.structure)


def test_entities_that_training_never_names_have_no_structure_and_keep_none(toy_graph, scorer):
    gated, open_ = AdditiveFusion(toy_graph, scorer), AdditiveFusion(toy_graph, scorer, gate=False)
    assert not gated.structure[UNSEEN].any()
    assert gated.structure[:UNSEEN].any(1).all()
    assert open_.structure.any(1).all()
    for encoder in (gated, open_):
        encoder(torch.tensor([3, UNSEEN])).joint.sum().backward()
    assert gated.structure.grad[3].all()
    assert not gated.structure.grad[UNSEEN].any()
    assert open_.structure.grad[UNSEEN].all()


def test_an_entity_of_another_split_alone_counts_as_unseen(toy_graph, scorer):
    graph = replace(toy_graph, train=toy_graph.train[(toy_graph.train[:, [0, 2]] != 4).all(1)])
    encoder = trained(AdditiveFusion(graph, scorer))
    visual, textual = (projected(encoder, graph, name)[4] for name in ("visual", "textual"))
    assert torch.allclose(encoder().joint[4], visual + textual, atol=1e-5)


def test_views_stand_side_by_side_with_vectors_of_their_own(toy_graph, scorer):
    encoder = trained(SeparateViews(toy_graph, scorer))
    structure, visual, textual = encoder().joint.split(6, dim=1)
    assert torch.equal(structure, encoder.structure)
    assert torch.allclose(
        textual[:UNSEEN], (encoder.own["textual"] + projected(encoder, toy_graph, "textual"))[:UNSEEN], atol=1e-5
    )
    assert torch.allclose(textual[UNSEEN], projected(encoder, toy_graph, "textual")[UNSEEN], atol=1e-5)
    assert not visual[1].any()
    assert torch.allclose(visual[2], (encoder.own["visual"] + projected(encoder, toy_graph, "visual"))[2], atol=1e-5)


def test_views_of_features_alone_are_zero_where_there_are_none(toy_graph, scorer):
    encoder = trained(SeparateViews(toy_graph, scorer, modalities=["visual"], own_vectors=False))
    _, visual = encoder().joint.split(6, dim=1)
    assert not visual[1].any()
    assert torch.allclose(visual[2], projected(encoder, toy_graph, "visual")[2], atol=1e-5)
    assert not list(encoder.own)


def test_own_vectors_start_in_the_range_that_is_asked_for(toy_graph):
    scorer = ComplEx(200, init_range=0.3)
    assert 0.25 < SeparateViews(toy_graph, scorer).own["textual"].abs().max() <= 0.3
    assert 0.9 < SeparateViews(toy_graph, scorer, init_range=1.0).own["textual"].abs().max() <= 1.0
