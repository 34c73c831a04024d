"""What is missing reaches no encoder of conf/; `tests/testing` holds each to its contract."""

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


@pytest.mark.parametrize("model", MODELS.values())
@pytest.mark.parametrize("strategy", ["random", "low_degree", "high_degree"])
def test_what_was_taken_away_reaches_no_encoder(toy_graph, model, strategy):
    graph = MissingModalities(strategy, 0.7).remove(toy_graph)
    encoded = make(model, graph)()
    assert encoded.joint.isfinite().all()
    for name, present in encoded.present.items():
        expected = graph.modalities[name].present if name in graph.modalities else torch.ones(12, dtype=torch.bool)
        assert torch.equal(present, expected)
