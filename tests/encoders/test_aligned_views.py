"""MMKRL's views, its alignment, and noise that stays in its ball and ascends."""

import dataclasses

import pytest
import torch

from dhns.encoders.aligned_views import AlignedViews
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.scorers.transe import TransE

WIDTH, RADIUS = 4, 0.3


@pytest.fixture
def graph(toy_graph):
    """Every second entity has an image, all but 1 and 2 have a text: 1 has nothing."""
    text = toy_graph.modalities["textual"]
    present = text.present.clone()
    present[[1, 2]] = False
    features = text.features.masked_fill(~present[:, None], 100.0)
    return dataclasses.replace(toy_graph, modalities={**toy_graph.modalities, "textual": Modality(features, present)})


def make(graph, **options):
    torch.manual_seed(0)
    encoder = AlignedViews(graph, TransE(WIDTH), **{"radius": RADIUS, **options})
    with torch.no_grad():  # away from the identity
        encoder.projection.weight.add_(0.3 * torch.randn(WIDTH, WIDTH))
        encoder.projection.bias.normal_()
    return encoder


@pytest.fixture
def encoder(graph):
    return make(graph)


def linear(module, row):
    weight, bias = module.weight.tolist(), module.bias.tolist()
    return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in zip(weight, bias, strict=True)]


def triples_of_views(encoder, graph):
    """``(s, p, m)`` of every entity in plain Python; m is None for an entity without features."""
    for entity, s in enumerate(encoder.structure.tolist()):
        projected = [
            linear(encoder.features.projections[name], modality.features[entity].tolist())
            for name, modality in graph.modalities.items()
            if modality.present[entity]
        ]
        yield s, linear(encoder.projection, s), [sum(x) for x in zip(*projected, strict=True)] or None


def test_joint_embedding_is_structure_its_projection_and_all_features(encoder, graph):
    expected = [[*s, *p, *(m or s)] for s, p, m in triples_of_views(encoder, graph)]
    torch.testing.assert_close(encoder.eval()().joint, torch.tensor(expected))


def test_alignment_is_the_squared_distance_of_views_of_an_entity(encoder, graph):
    def squared(a, b):
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / WIDTH

    rows = list(triples_of_views(encoder, graph))
    structural = [squared(s, p) for s, p, _ in rows]
    multimodal = [squared(p, m) for _, p, m in rows if m is not None]
    assert len(multimodal) == 11
    expected = sum(structural) / 12 + sum(multimodal) / 11
    torch.testing.assert_close(encoder.train()().loss, torch.tensor(expected))
    torch.testing.assert_close(make(graph, alignment=0.5).train()().loss, torch.tensor(expected / 2))


def test_nothing_is_aligned_and_no_noise_added_outside_of_training(encoder):
    with torch.no_grad():
        encoder.noise.normal_()
    assert encoder.eval()().loss is None
    quiet = encoder().joint
    noisy = encoder.train()().joint
    assert torch.equal(noisy[:, :WIDTH], quiet[:, :WIDTH])
    for view in (1, 2):
        part = slice(view * WIDTH, (view + 1) * WIDTH)
        torch.testing.assert_close(noisy[:, part], quiet[:, part] + encoder.noise)


def test_an_entity_without_features_is_aligned_with_its_projection_alone(encoder):
    loss = encoder.train()(torch.tensor([1])).loss
    s = encoder.structure[1]
    torch.testing.assert_close(loss, (s - encoder.projection(s)).square().mean())


def test_features_learn_from_the_alignment_but_absent_ones_do_not(encoder):
    encoder.train()(torch.tensor([1])).loss.backward()
    assert all(not p.weight.grad.any() for p in encoder.features.projections.values())
    encoder(torch.tensor([2])).loss.backward()
    assert encoder.features.projections["visual"].weight.grad.any()
    assert not encoder.features.projections["textual"].weight.grad.any()


def lengths(encoder, entity):
    """Lengths of the noise in use."""
    noisy = encoder.train()(entity).joint.detach()
    return (noisy - encoder.eval()(entity).joint.detach())[:, WIDTH : 2 * WIDTH].norm(dim=1)


def test_noise_stays_in_the_ball(encoder):
    with torch.no_grad():
        encoder.noise[:6] = 5 * torch.randn(6, WIDTH)
        encoder.noise[6:] = 0.01
    used = lengths(encoder, torch.tensor([0, 3, 8]))
    torch.testing.assert_close(used, torch.tensor([RADIUS, RADIUS, 0.02]), atol=1e-5, rtol=0)
    assert (encoder.noise[4].norm() > RADIUS).item(), "entities that are not used are left alone"
    assert (lengths(encoder, None) <= RADIUS + 1e-6).all()


def test_noise_ascends_what_the_model_descends(encoder):
    """One step down all gradients: noise alone raises the loss, all other parameters alone lower it."""
    target = torch.randn(12, 3 * WIDTH)

    def loss():
        return (encoder.train()().joint - target).square().mean()

    before = loss()
    start = {name: parameter.detach().clone() for name, parameter in encoder.named_parameters()}
    gradients = torch.autograd.grad(before, list(encoder.parameters()))
    stepped = {name: start[name] - 0.05 * slope for name, slope in zip(start, gradients, strict=True)}

    def with_values(values):
        encoder.load_state_dict({**encoder.state_dict(), **values})
        return loss()

    assert with_values({**start, "noise": stepped["noise"]}) > before
    assert with_values({**stepped, "noise": start["noise"]}) < before


def test_noise_has_the_reversed_gradient_of_its_views(encoder):
    with torch.no_grad():
        encoder.noise.fill_(0.01)
    encoder.train()().joint.sum().backward()
    torch.testing.assert_close(encoder.noise.grad, torch.full((12, WIDTH), -2.0))


def test_training_without_noise(graph):
    encoder = make(graph, radius=0.0)
    assert "noise" not in dict(encoder.named_parameters())
    assert torch.equal(encoder.train()().joint, encoder.eval()().joint)


def test_a_missing_modality_stops_or_is_done_without(toy_graph):
    image = dataclasses.replace(toy_graph, modalities={"visual": toy_graph.modalities["visual"]})
    wanted = ["visual", "textual"]
    with pytest.raises(InputError, match="toy has no modality 'textual'"):
        make(image, modalities=wanted)
    encoder = make(image, modalities=wanted, when_missing="use_available")
    assert (encoder.view_names, encoder.missing) == (("structure", "visual"), ("textual",))
    with pytest.raises(InputError, match="needs a modality"):
        make(toy_graph, modalities=[])
