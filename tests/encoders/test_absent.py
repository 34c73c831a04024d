"""What stands for the features of an entity that lacks a modality."""

import pytest
import torch

from dhns.encoders.aligned_views import AlignedViews
from dhns.encoders.attention_fusion import AttentionFusion
from dhns.encoders.encoder import FeatureTable
from dhns.encoders.projected_views import ProjectedViews
from dhns.graph.knowledge_graph import Modality
from dhns.scorers.transe import TransE

ENCODERS = (AttentionFusion, ProjectedViews, AlignedViews)


@pytest.fixture
def visual(toy_graph):
    """Images of every second entity."""
    return toy_graph.modalities["visual"]


def make(encoder, graph, **options):
    torch.manual_seed(0)
    return encoder(graph, TransE(4), **options).eval()


def test_rows_by_hand():
    table = Modality(torch.tensor([[1.0, 4.0], [0.0, 0.0], [3.0, 0.0]]), torch.tensor([True, False, True]))
    expected = {"mask": [0.0, 0.0], "zero": [0.0, 0.0], "mean": [2.0, 2.0], "learned": [0.0, 0.0]}
    for absent, row in expected.items():
        features, present = FeatureTable(table, absent=absent)()
        assert features.tolist() == [[1, 4], row, [3, 0]]
        assert present.tolist() == [True, absent != "mask", True]
        some, _ = FeatureTable(table, absent=absent)(torch.tensor([1, 1, 2]))
        assert some.tolist() == [row, row, [3, 0]]
    assert table.features[1].tolist() == [0, 0], "the graph stays as it is"


@pytest.mark.parametrize("trainable", [False, True])
def test_the_learned_row_is_one_for_all_that_lack_the_modality(visual, trainable):
    table = FeatureTable(visual, trainable, absent="learned")
    features, _ = table()
    features.sum().backward()
    assert torch.equal(table.stand_in.grad, torch.full((5,), float((~visual.present).sum())))
    assert ("features" in dict(table.named_parameters())) == trainable
    if trainable:
        assert (table.features.grad[~visual.present] == 0).all()
    with torch.no_grad():
        table.stand_in.fill_(7)
    assert (table()[0][~visual.present] == 7).all()
    assert torch.equal(table()[0][visual.present], visual.features[visual.present])


@pytest.mark.parametrize("encoder", ENCODERS)
def test_masked_views_are_the_default(toy_graph, encoder):
    default, masked = (make(encoder, toy_graph, **options) for options in ({}, {"absent": "mask"}))
    torch.testing.assert_close(default().joint, masked().joint, rtol=0, atol=0)
    assert default.state_dict().keys() == masked.state_dict().keys()


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("absent", ["zero", "mean", "learned"])
def test_a_stand_in_is_a_present_view_and_changes_no_other_entity(toy_graph, visual, encoder, absent):
    masked, filled = make(encoder, toy_graph)(), make(encoder, toy_graph, absent=absent)()
    assert not masked.present["visual"].all()
    assert filled.present["visual"].all()
    torch.testing.assert_close(filled.joint[visual.present], masked.joint[visual.present])
    changed = (filled.joint != masked.joint).any(dim=1)
    assert changed[~visual.present].all()


def test_the_mean_stands_where_the_mean_would(toy_graph, visual):
    encoder = make(AttentionFusion, toy_graph, absent="mean")
    expected = encoder.projections["visual"](visual.features[visual.present].mean(0))
    views = encoder().views["visual"][~visual.present]
    torch.testing.assert_close(views, expected.expand_as(views))
