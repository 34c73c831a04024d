"""What every encoder of conf/ promises, under the scorer of a model that uses it."""

import pytest
import torch
from hydra.utils import instantiate

from builders import composed
from dhns.resources import conf_dir

MODELS = {}
for path in sorted((conf_dir() / "model").glob("*.yaml")):
    MODELS.setdefault(composed(f"model={path.stem}").encoder._target_, path.stem)


@pytest.fixture(params=MODELS.values())
def encoder(request, toy_graph):
    torch.manual_seed(0)
    config = composed(f"model={request.param}")
    return instantiate(config.encoder)(graph=toy_graph, scorer=instantiate(config.scorer)).eval()


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
