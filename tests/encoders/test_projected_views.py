"""The views of IKRL, TBKGC and VBKGC against their formulas, and what takes the place of a missing modality."""

import dataclasses

import pytest
import torch

from dhns.encoders.projected_views import ProjectedViews
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives, score_negatives
from dhns.models.kge_model import KGEModel
from dhns.scorers.transe import TransE
from dhns.scorers.view_energies import ViewEnergies

WIDTH = 4


def lacking(graph, **absent):
    """The graph without some entities' features: modality to ids; what stands in their rows must not matter."""
    modalities = dict(graph.modalities)
    for name, ids in absent.items():
        old = modalities[name]
        features, present = old.features.clone(), old.present.clone()
        features[ids], present[ids] = 100.0, False
        modalities[name] = Modality(features, present)
    return dataclasses.replace(graph, modalities=modalities)


@pytest.fixture
def graph(toy_graph):
    """Entity 0 has both modalities, 1 text alone, 2 an image alone, 3 neither."""
    return lacking(toy_graph, textual=[2, 3])


def make(graph, *modalities, **options):
    torch.manual_seed(0)
    return ProjectedViews(graph, TransE(WIDTH), modalities or None, **options)


def linear(module, row):
    weight, bias = module.weight.tolist(), module.bias.tolist()
    return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in zip(weight, bias, strict=True)]


def projections(encoder, graph, entity):
    """``W f + b`` of the modalities that an entity has, in plain Python."""
    return {
        name: linear(encoder.features.projections[name], graph.modalities[name].features[entity].tolist())
        for name in encoder.view_names[1:]
        if graph.modalities[name].present[entity]
    }


def rows(encoder, graph, beside):
    """Joint embeddings by a formula of an entity's structure and its projections."""
    expected = []
    for entity, structure in enumerate(encoder.structure.tolist()):
        expected.append([x for view in beside(structure, projections(encoder, graph, entity)) for x in view])
    return torch.tensor(expected)


def test_ikrl_is_structure_beside_the_projected_image(graph):
    encoder = make(graph, "visual")
    expected = rows(encoder, graph, lambda s, p: [s, p.get("visual", s)])
    torch.testing.assert_close(encoder().joint, expected)
    assert encoder.view_names == ("structure", "visual")


def test_modalities_may_be_views_each(graph):
    encoder = make(graph, "visual", "textual")
    expected = rows(encoder, graph, lambda s, p: [s, p.get("visual", s), p.get("textual", s)])
    torch.testing.assert_close(encoder().joint, expected)


def test_tbkgc_is_structure_two_halves_and_the_sum(graph):
    def beside(s, p):
        half = WIDTH // 2
        m = p.get("visual", s)[:half] + p.get("textual", s)[half:]
        return [s, m, [a + b for a, b in zip(s, m, strict=True)]]

    encoder = make(graph, "visual", "textual", multimodal="parts", with_sum=True)
    torch.testing.assert_close(encoder().joint, rows(encoder, graph, beside))


def test_vbkgc_is_structure_beside_one_map_of_all_features(graph):
    """``W [f_1; f_2] + b`` by the blocks of W."""

    def beside(s, p):
        return [s, [sum(column) for column in zip(*p.values(), strict=True)] if p else s]

    encoder = make(graph, "visual", "textual", multimodal="concatenated")
    torch.testing.assert_close(encoder().joint, rows(encoder, graph, beside))


@pytest.mark.parametrize("multimodal", ["separate", "parts", "concatenated"])
def test_one_modality_is_one_view_however_it_is_made(graph, multimodal):
    encoder = make(graph, "textual", multimodal=multimodal)
    torch.testing.assert_close(encoder().joint, rows(encoder, graph, lambda s, p: [s, p.get("textual", s)]))


def test_parts_need_no_equal_width(graph):
    """Three parts of a width of four."""
    graph = dataclasses.replace(graph, modalities={**graph.modalities, "audio": graph.modalities["visual"]})
    encoder = make(graph, "visual", "textual", "audio", multimodal="parts")
    expected = rows(
        encoder,
        graph,
        lambda s, p: [s, p.get("visual", s)[:2] + p.get("textual", s)[2:3] + p.get("audio", s)[3:]],
    )
    torch.testing.assert_close(encoder().joint, expected)


OPTIONS = [
    {},
    {"multimodal": "parts", "with_sum": True},
    {"multimodal": "concatenated"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_absent_features_get_no_gradient_and_do_no_harm(graph, options):
    encoder = make(graph, "visual", "textual", **options)
    encoded = encoder()
    views = [encoded.views[name] for name in ("visual", "textual")]
    for view, name in zip(torch.autograd.grad(encoded.joint.sum(), views), ("visual", "textual"), strict=True):
        assert torch.equal((view != 0).any(-1), graph.modalities[name].present)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_structure_alone_is_an_entity_without_features(toy_graph, options):
    encoder = make(toy_graph, "visual", "textual", **options)
    encoded = encoder()
    none = {name: torch.zeros_like(mask) for name, mask in encoded.present.items()}
    alone = encoder.fuse({"structure": encoded.views["structure"]}, encoded.present)
    torch.testing.assert_close(alone, encoder.fuse(encoded.views, none))


def test_negatives_with_a_replaced_image_are_scored_with_it(toy_graph):
    scorer = ViewEnergies(TransE, WIDTH, 6.0, [[0, 0], [1, 1], [1, 0], [0, 1]])
    torch.manual_seed(0)
    model = KGEModel(ProjectedViews(toy_graph, scorer, ["visual"]), scorer, toy_graph.num_relations)
    triples = torch.tensor([[0, 1, 2]])
    queries = Queries.of(triples, torch.tensor([False]))
    negatives = Negatives(queries, torch.tensor([[5]]), {"visual": torch.tensor([[8]])})
    found = score_negatives(model, triples, negatives)[2]

    s, views = model.encoder().views["structure"], model.encoder().views["visual"]
    r = model.relations[1]
    four = [(s[0], s[5]), (views[0], views[8]), (views[0], s[5]), (s[0], views[8])]
    expected = 6.0 - sum((h + r - t).abs().sum() for h, t in four)
    torch.testing.assert_close(found[0, 0], expected)


def test_a_missing_modality_stops_or_another_takes_its_place(toy_graph):
    text = dataclasses.replace(toy_graph, modalities={"textual": toy_graph.modalities["textual"]})
    with pytest.raises(InputError, match=r"toy has no modality 'visual' .*encoder.when_missing=use_available"):
        make(text, "visual")
    encoder = make(text, "visual", when_missing="use_available")
    assert (encoder.view_names, encoder.missing) == (("structure", "textual"), ("visual",))
    assert encoder().joint.shape == (12, 2 * WIDTH)

    encoder = make(text, "visual", "textual", when_missing="use_available", multimodal="parts", with_sum=True)
    torch.testing.assert_close(encoder().joint[:, WIDTH : 2 * WIDTH], encoder().views["textual"])


def test_a_model_of_features_needs_some(toy_graph):
    bare = dataclasses.replace(toy_graph, modalities={})
    with pytest.raises(InputError, match=r"names none \(toy has: none\).*model=transe"):
        make(bare)
    with pytest.raises(InputError, match="names none"):
        ProjectedViews(toy_graph, TransE(WIDTH), [])
