"""TransAE: codes and reconstruction against plain Python, and that the score does pass through the encoder."""

import dataclasses
import math

import pytest
import torch

from dhns.encoders.autoencoder import AutoEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.models.kge_model import KGEModel
from dhns.scorers.transe import TransE

WIDTH, HIDDEN = 4, 3


@pytest.fixture
def graph(toy_graph):
    """Every second entity has an image, all but 1 and 2 have a text: 1 has nothing."""
    text = toy_graph.modalities["textual"]
    present = text.present.clone()
    present[[1, 2]] = False
    features = (7 + 3 * text.features).masked_fill(~present[:, None], float("nan"))
    return dataclasses.replace(toy_graph, modalities={**toy_graph.modalities, "textual": Modality(features, present)})


def make(graph, **options):
    torch.manual_seed(0)
    return AutoEncoder(graph, TransE(WIDTH), hidden=HIDDEN, **options)


@pytest.fixture
def encoder(graph):
    return make(graph)


def linear(module, row):
    weight, bias = module.weight.tolist(), module.bias.tolist()
    return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in zip(weight, bias, strict=True)]


def standard(graph):
    """Features of the entities that have them, by modality and entity: mean 0 per coordinate, variance 1 over all."""
    result = {}
    for name, modality in graph.modalities.items():
        rows = {e: modality.features[e].tolist() for e in range(12) if modality.present[e]}
        means = [sum(column) / len(rows) for column in zip(*rows.values(), strict=True)]
        centred = {e: [x - mean for x, mean in zip(row, means, strict=True)] for e, row in rows.items()}
        numbers = [x for row in centred.values() for x in row]
        deviation = math.sqrt(sum(x * x for x in numbers) / len(numbers))
        result[name] = {e: [x / deviation for x in row] for e, row in centred.items()}
    return result


def codes(encoder, graph):
    features = standard(graph)
    for entity, learned in enumerate(encoder.structure.tolist()):
        parts = [
            linear(encoder.code[name], [math.tanh(x) for x in linear(encoder.inward[name], rows[entity])])
            for name, rows in features.items()
            if entity in rows
        ]
        yield [sum(x) for x in zip(*parts, strict=True)] if parts else learned


def test_the_entity_vector_is_the_code(encoder, graph):
    torch.testing.assert_close(encoder().joint, torch.tensor(list(codes(encoder, graph))), atol=1e-5, rtol=1e-4)
    assert torch.equal(encoder().joint[1], encoder.structure[1])


def test_loss_is_the_error_of_the_reconstruction_of_what_is_there(encoder, graph):
    features, expected = standard(graph), 0.0
    for place, (name, rows) in enumerate(features.items()):
        errors = []
        for entity, code in enumerate(codes(encoder, graph)):
            if entity in rows:
                units = [math.tanh(x) for x in linear(encoder.spread, code)][place * HIDDEN : (place + 1) * HIDDEN]
                made = linear(encoder.outward[name], units)
                errors.append(sum((a - b) ** 2 for a, b in zip(made, rows[entity], strict=True)) / len(made))
        expected += sum(errors) / len(errors)
    torch.testing.assert_close(encoder.train()().loss, torch.tensor(expected), atol=1e-5, rtol=1e-4)
    doubled = make(graph, reconstruction=2.0).train()().loss
    torch.testing.assert_close(doubled, torch.tensor(2 * expected), atol=1e-5, rtol=1e-4)


def test_nothing_is_reconstructed_outside_of_training(encoder):
    assert encoder.eval()().loss is None


def test_scores_train_the_encoder(encoder, graph):
    """The published re-implementation leaves the auto-encoder out of the score."""
    model = KGEModel(encoder, TransE(WIDTH), graph.num_relations).eval()
    model.score_triples(graph.train).sum().backward()
    for layer in (*encoder.inward.values(), *encoder.code.values()):
        assert layer.weight.grad.abs().sum() > 0
    assert not any(p.grad is not None for p in (*encoder.spread.parameters(), *encoder.outward.parameters()))
    changed = encoder.structure.grad.abs().sum(1) > 0
    assert changed.nonzero().flatten().tolist() == [1], "the learned vector serves the entity without features alone"


def test_the_reconstruction_trains_all_layers(encoder):
    encoder.train()().loss.backward()
    layers = (encoder.spread, *encoder.inward.values(), *encoder.code.values(), *encoder.outward.values())
    assert all(layer.weight.grad.abs().sum() > 0 for layer in layers)


def test_an_entity_without_features_has_nothing_to_reconstruct(encoder):
    loss = encoder.train()(torch.tensor([1])).loss
    assert loss == 0
    loss.backward()
    assert not encoder.structure.grad.any()


def test_features_of_a_single_entity_and_of_none_are_finite(toy_graph):
    visual = toy_graph.modalities["visual"]
    for known in ([], [4]):
        present = torch.zeros(12, dtype=torch.bool)
        present[known] = True
        graph = dataclasses.replace(toy_graph, modalities={"visual": Modality(visual.features, present)})
        encoded = make(graph).train()()
        assert encoded.joint.isfinite().all()
        assert encoded.loss.isfinite()


def test_the_graph_keeps_its_features(graph):
    before = graph.modalities["textual"].features.clone()
    make(graph)
    torch.testing.assert_close(graph.modalities["textual"].features, before, equal_nan=True)


def test_a_missing_modality_stops_or_is_done_without(toy_graph):
    image = dataclasses.replace(toy_graph, modalities={"visual": toy_graph.modalities["visual"]})
    wanted = ["visual", "textual"]
    with pytest.raises(InputError, match="toy has no modality 'textual'"):
        make(image, modalities=wanted)
    encoder = make(image, modalities=wanted, when_missing="use_available")
    assert (encoder.view_names, encoder.missing) == (("structure", "visual"), ("textual",))
    with pytest.raises(InputError, match="needs a modality"):
        make(toy_graph, modalities=[])
