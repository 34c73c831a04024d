"""Views, attention over the present ones, and what an optimizer and a checkpoint get to see."""

import dataclasses

import pytest
import torch

from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.encoder import choose_modalities
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.scorers.distmult import DistMult

WIDTH = 4


@pytest.fixture
def scorer():
    return DistMult(WIDTH)


@pytest.fixture
def partial(toy_graph):
    """Name and mask of the modality that some entities lack."""
    return next((name, m.present) for name, m in toy_graph.modalities.items() if not m.present.all())


@pytest.fixture(params=[StructuralEncoder, AttentionFusion])
def encoder(request, toy_graph, scorer):
    torch.manual_seed(0)
    return request.param(toy_graph, scorer)


def with_features(graph, name, features):
    modality = Modality(features, graph.modalities[name].present)
    return dataclasses.replace(graph, modalities={**graph.modalities, name: modality})


def fused(graph, scorer):
    torch.manual_seed(0)
    encoder = AttentionFusion(graph, scorer)
    with torch.no_grad():
        encoder.attention.weight.mul_(10)  # far from the mean of the views
    return encoder


def test_joint_embedding_is_the_attention_over_present_views(toy_graph, scorer):
    encoder = fused(toy_graph, scorer)
    encoded = encoder()
    w = encoder.attention.weight[0]
    for entity in range(toy_graph.num_entities):
        views = [v[entity] for name, v in encoded.views.items() if encoded.present[name][entity]]
        shares = torch.stack([torch.exp(w @ view.tanh()) for view in views])
        expected = sum(share * view for share, view in zip(shares / shares.sum(), views, strict=True))
        torch.testing.assert_close(encoded.joint[entity], expected)


def test_absent_views_do_not_influence_the_joint_embedding(toy_graph, scorer, partial):
    name, present = partial
    changed = toy_graph.modalities[name].features.clone()
    changed[~present] = 100
    before, after = (fused(graph, scorer)() for graph in (toy_graph, with_features(toy_graph, name, changed)))
    assert not torch.equal(before.views[name][~present], after.views[name][~present])
    torch.testing.assert_close(before.joint, after.joint)


def test_absent_views_get_no_gradient(toy_graph, scorer, partial):
    name, present = partial
    encoder = fused(toy_graph, scorer)
    encoded = encoder()
    gradient = torch.autograd.grad(encoded.joint.square().sum(), encoded.views[name])[0].abs().sum(1)
    assert (gradient[present] > 0).all()
    assert (gradient[~present] == 0).all()


def test_structure_alone_needs_no_attention(toy_graph, scorer):
    encoder = AttentionFusion(toy_graph, scorer, modalities=[])
    encoded = encoder()
    assert encoder.view_names == ("structure",)
    assert torch.equal(encoded.joint, encoder.structure)


def test_frozen_features_are_out_of_reach_of_optimizer_and_checkpoint(toy_graph, scorer):
    encoder = AttentionFusion(toy_graph, scorer)
    assert {name for name, _ in encoder.named_buffers()} >= {f"features.{m}.features" for m in toy_graph.modalities}
    stored = {*dict(encoder.named_parameters()), *encoder.state_dict()}
    assert not any(name.startswith("features.") for name in stored)


def test_trained_features_are_parameters(toy_graph, scorer):
    encoder = AttentionFusion(toy_graph, scorer, train_features=True)
    for name in toy_graph.modalities:
        assert isinstance(encoder.features[name].features, torch.nn.Parameter)
        assert f"features.{name}.features" in encoder.state_dict()
    encoder().joint.sum().backward()
    assert all(parameter.grad is not None for parameter in encoder.parameters())


def test_training_features_leaves_those_of_the_graph_alone(toy_graph, scorer):
    name = next(iter(toy_graph.modalities))
    before = toy_graph.modalities[name].features.clone()
    encoder = AttentionFusion(toy_graph, scorer, train_features=True)
    with torch.no_grad():
        encoder.features[name].features.add_(1)
    assert torch.equal(toy_graph.modalities[name].features, before)


def test_initialisation_range(toy_graph):
    structure = StructuralEncoder(toy_graph, DistMult(64, init_range=0.3)).structure
    assert 0.25 < structure.abs().max() <= 0.3


def test_modalities_can_be_chosen(toy_graph, scorer, partial):
    assert AttentionFusion(toy_graph, scorer, modalities=[partial[0]]).view_names == ("structure", partial[0])


def test_a_modality_that_the_graph_lacks_is_named(toy_graph, scorer):
    with pytest.raises(InputError, match=rf"{toy_graph.name} has no modality 'smell' \(it has: .*encoder.modalities"):
        AttentionFusion(toy_graph, scorer, modalities=["smell"])


def test_a_model_may_run_on_the_modalities_that_are_there(toy_graph):
    assert choose_modalities(toy_graph, None) == (tuple(toy_graph.modalities), ())
    assert choose_modalities(toy_graph, ["visual", "smell"], "use_available") == (("visual",), ("smell",))
    assert choose_modalities(toy_graph, ["smell"], "use_available") == (tuple(toy_graph.modalities), ("smell",))


def test_a_model_that_needs_features_refuses_a_graph_without_any(toy_graph):
    bare = dataclasses.replace(toy_graph, modalities={})
    with pytest.raises(InputError, match="toy has no modality at all, and this model needs visual and textual"):
        choose_modalities(bare, ["visual", "textual"], "use_available")
