"""The encoder of RSME: the fused embedding, the image beside it, and the filter of images."""

import dataclasses
import itertools
import math

import pytest
import torch

from dhns.encoders.filtered_image import FilteredImage, image_agreement, principal_coordinates
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.graph.queries import Queries, answers
from dhns.models.kge_model import KGEModel
from dhns.scorers.rsme import RSME

SHARE = 0.4


@pytest.fixture
def scorer():
    return RSME(3)


@pytest.fixture
def encoder(toy_graph, scorer):
    torch.manual_seed(0)
    return FilteredImage(toy_graph, scorer, image_share=SHARE)


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def with_images(graph, features, present=None):
    present = graph.modalities["visual"].present if present is None else present
    return dataclasses.replace(graph, modalities={**graph.modalities, "visual": Modality(features, present)})


def test_joint_embedding_is_the_formula(encoder):
    encoded = encoder()
    weight = encoder.projection.weight.tolist()
    for entity in range(encoder.num_entities):
        s, f = (encoded.views[name][entity].tolist() for name in encoder.view_names)
        if encoded.present["visual"][entity]:
            moved = [sum(w * x for w, x in zip(row, f, strict=True)) for row in weight]
            expected = [(1 - SHARE) * a + SHARE * b for a, b in zip(s, moved, strict=True)] + f
        else:
            expected = s + [0.0] * len(f)
        assert encoded.joint[entity].tolist() == pytest.approx(expected, abs=1e-6)


def test_the_visual_term_is_the_cosine_of_the_raw_features(toy_graph, encoder):
    features, present = toy_graph.modalities["visual"].features.tolist(), toy_graph.modalities["visual"].present
    beside = encoder().joint[:, encoder.width :].detach()
    for a, b in itertools.combinations(range(toy_graph.num_entities), 2):
        expected = cosine(features[a], features[b]) if present[a] and present[b] else 0.0
        assert float(beside[a] @ beside[b]) == pytest.approx(expected, abs=1e-5)


def test_scores_through_the_model_are_the_formula(toy_graph, scorer, encoder):
    model = KGEModel(encoder, scorer, toy_graph.num_relations, reciprocal=True)
    with torch.no_grad():
        model.relations[:, -1] = torch.linspace(-1, 1, len(model.relations))
    encoded, features = encoder(), toy_graph.modalities["visual"].features.tolist()
    present = toy_graph.modalities["visual"].present.tolist()
    embedding = encoded.joint[:, : encoder.width].tolist()
    triples = torch.tensor([[0, 0, 2], [1, 2, 4], [6, 1, 8]])
    for head_side in (False, True):
        side = torch.full((3,), head_side)
        found = model.score_all(Queries.of(triples, side)).gather(1, answers(triples, side)[:, None])[:, 0]
        for row, (h, r, t) in enumerate(triples.tolist()):
            e, a = (t, h) if head_side else (h, t)
            vector = model.relations[r + 3 * head_side].tolist()
            parts = [[complex(v[i], v[3 + i]) for i in range(3)] for v in (embedding[e], vector, embedding[a])]
            structural = sum((x * y * z.conjugate()).real for x, y, z in zip(*parts, strict=True))
            likeness = cosine(features[e], features[a]) if present[e] and present[a] else 0
            visual = likeness / (1 + math.exp(-vector[6]))
            assert found[row].item() == pytest.approx(0.95 * structural + 0.05 * visual, abs=1e-5)


def test_absent_images_do_not_influence_anything(toy_graph, scorer):
    present = toy_graph.modalities["visual"].present
    changed = toy_graph.modalities["visual"].features.clone()
    changed[~present] = 100
    joints = []
    for graph in (toy_graph, with_images(toy_graph, changed)):
        torch.manual_seed(0)
        joints.append(FilteredImage(graph, scorer)().joint)
    torch.testing.assert_close(*joints)


def test_gradients_reach_the_structure_and_the_projection(encoder):
    encoded = encoder()
    present = encoded.present["visual"]
    encoded.joint.square().sum().backward()
    assert (encoder.structure.grad.abs().sum(1) > 0).all()
    assert encoder.projection.weight.grad.abs().sum() > 0
    torch.testing.assert_close(encoder.structure.grad[~present], 2 * encoder.structure[~present])
    assert {name for name, _ in encoder.named_parameters()} == {"structure", "projection.weight"}


def test_coordinates_travel_with_the_checkpoint(encoder):
    assert torch.equal(encoder.state_dict()["images"], encoder().views["visual"])


def test_coordinates_are_the_best_of_their_rank():
    """Of unit rows with singular values known by construction: the error is that of the values left out."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(40, 12, generator=generator) * 0.5 ** torch.arange(12)
    unit = features / features.norm(dim=1, keepdim=True)
    coordinates = principal_coordinates(Modality(features, torch.ones(40, dtype=torch.bool)), 6)
    error = (coordinates @ coordinates.T - unit @ unit.T).square().sum()
    left_out = torch.linalg.eigvalsh(unit.T @ unit).flip(0)[6:].square().sum()
    assert error.item() == pytest.approx(left_out.item(), rel=1e-2)


def test_agreement_is_the_mean_cosine_within_places(toy_graph):
    features, present = toy_graph.modalities["visual"].features, toy_graph.modalities["visual"].present
    unit = features / features.norm(dim=1, keepdim=True).clamp_min(1e-9)
    found = image_agreement(toy_graph, unit, present)
    for entity in range(toy_graph.num_entities):
        means = []
        for relation, column in itertools.product(range(toy_graph.num_relations), (0, 2)):
            members = {t[column] for t in toy_graph.train.tolist() if t[1] == relation and present[t[column]]}
            if entity in members and len(members) > 1:
                others = [float(unit[entity] @ unit[other]) for other in members - {entity}]
                means.append(sum(others) / len(others))
        if means:
            assert found[entity].item() == pytest.approx(sum(means) / len(means), abs=1e-5)
        else:
            assert math.isnan(found[entity])


def test_the_filter_drops_the_image_that_is_unlike_the_others(toy_graph, scorer):
    present = torch.ones(12, dtype=torch.bool)
    features = torch.ones(12, 5) + 0.1 * torch.randn(12, 5, generator=torch.Generator().manual_seed(0))
    features[5] = -features[5]
    encoder = FilteredImage(with_images(toy_graph, features, present), scorer, filtered=0.05)
    assert encoder().present["visual"].tolist() == [entity != 5 for entity in range(12)]
    assert torch.equal(encoder().joint[5, encoder.width :], torch.zeros(encoder.width))


def test_a_graph_without_images(toy_graph, scorer):
    graph = dataclasses.replace(toy_graph, modalities={"textual": toy_graph.modalities["textual"]})
    with pytest.raises(InputError, match="no modality 'visual'"):
        FilteredImage(graph, scorer)
    encoder = FilteredImage(graph, scorer, when_missing="use_available")
    assert encoder.view_names == ("structure", "textual")
    assert encoder.missing == ("visual",)


@pytest.mark.parametrize("setting", ["image_share", "filtered"])
def test_shares_out_of_range_are_named(toy_graph, scorer, setting):
    with pytest.raises(InputError, match=rf"encoder.{setting} is 1; expected at least 0 and less than 1"):
        FilteredImage(toy_graph, scorer, **{setting: 1})
