"""What every encoder of conf/ promises, under the scorer of a model that uses it."""

import pytest
import torch
from hydra.utils import instantiate

from builders import composed
from dhns.graph.missing import MissingModalities
from dhns.resources import conf_dir

MODELS = {}
for path in sorted((conf_dir() / "model").glob("*.yaml")):
    MODELS.setdefault(composed(f"model={path.stem}").encoder._target_, path.stem)


def make(model, graph):
    torch.manual_seed(0)
    config = composed(f"model={model}")
    return instantiate(config.encoder)(graph=graph, scorer=instantiate(config.scorer)).eval()


@pytest.fixture(params=MODELS.values())
def encoder(request, toy_graph):
    return make(request.param, toy_graph)


def test_selected_entities_are_encoded_as_they_are_among_all(encoder):
    entity = torch.tensor([3, 0, 3, 7])
    some, everything = encoder(entity), encoder().rows(entity)
    torch.testing.assert_close(some.joint, everything.joint)
    for name in encoder.view_names:
        torch.testing.assert_close(some.views[name], everything.views[name])
        assert some.views[name].shape == (4, encoder.width)
        assert torch.equal(some.present[name], everything.present[name])


def test_views_are_named_in_order(encoder):
    encoded = encoder()
    assert tuple(encoded.views) == tuple(encoded.present) == encoder.view_names
    assert encoder.view_names[0] == "structure"
    assert torch.equal(encoded.views["structure"], encoder.structure)
    assert encoded.present["structure"].all()


def test_generated_views_are_fused_as_real_ones_are(encoder):
    encoded = encoder()
    stacked = {name: view.expand(3, 2, *view.shape) for name, view in encoded.views.items()}
    torch.testing.assert_close(encoder.fuse(stacked, encoded.present), encoded.joint.expand(3, 2, -1, -1))


def test_encoding_leaves_nothing_to_minimise_outside_of_training(encoder):
    assert encoder().loss is None


@pytest.mark.parametrize("model", MODELS.values())
@pytest.mark.parametrize("strategy", ["random", "low_degree", "high_degree"])
def test_what_was_taken_away_reaches_no_encoder(toy_graph, model, strategy):
    graph = MissingModalities(strategy, 0.7).remove(toy_graph)
    encoded = make(model, graph)()
    assert encoded.joint.isfinite().all()
    for name, present in encoded.present.items():
        expected = graph.modalities[name].present if name in graph.modalities else torch.ones(12, dtype=torch.bool)
        assert torch.equal(present, expected)
