"""Entities that come after training: guessed from features, fitted to triples; all others stay as they were."""

from dataclasses import replace

import pytest
import torch

import dhns
from dhns.graph.held_out import hold_out_entities
from dhns.graph.knowledge_graph import Vocabulary
from dhns.graph.newcomers import graph_with
from dhns.training.blend import Blend
from dhns.training.evaluation import rank_queries
from dhns.training.new_entities import guessed, with_entities

DIM, COUNT = 4, 40
SMALL = {"scorer.dim": 4, "progress": False, "protocol.select": "last_epoch", "trainer.max_epochs": 30}


@pytest.fixture(scope="module")
def graph():
    """Entities on a ring; the features tell the place, as a cosine and a sine and twice as fast ones."""
    angle = torch.arange(COUNT) * 2 * torch.pi / COUNT
    features = torch.stack([angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], dim=1)
    keys = [f"e{number:02}" for number in range(COUNT)]
    triples = [(keys[i], f"{step} on", keys[(i + step) % COUNT]) for i in range(COUNT) for step in (1, 2, 3)]
    return dhns.KnowledgeGraph.from_triples(triples, features={"place": features.numpy()}, entities=keys)


@pytest.fixture(scope="module")
def held(graph):
    return hold_out_entities(graph, 0.1, seed=1)


def train(graph, model, folder, **settings):
    run = dhns.train(graph, model, protocol="as_published", outputs=folder, settings=SMALL | settings)
    return run.model.ranker


@pytest.fixture(scope="module")
def rotate(held, tmp_path_factory):
    return train(held.graph, "rotate", tmp_path_factory.mktemp("rotate"))


def test_nothing_of_the_entities_stays_in_the_graph(graph, held):
    assert len(held.keys) == COUNT / 10
    assert held.graph.num_entities == COUNT - len(held.keys)
    assert not set(held.keys) & set(held.graph.entities.keys)
    new = held.triples[:, [0, 2]] >= held.graph.num_entities
    assert (new.sum(1) == 1).all()
    between = sum(bool(set(held.keys) >= {h, t}) for h, _, t in named(graph, graph.train))
    assert len(held.graph.train) + len(held.triples) + between == len(graph.train)
    whole = graph_with(held.graph, held.keys, held.features, held.labels)
    assert set(named(whole, held.triples)) <= set(named(graph, graph.train))
    for key in held.keys:
        expected = graph.modalities["place"].features[graph.entities.ids[key]]
        assert torch.equal(whole.modalities["place"].features[whole.entities.ids[key]], expected)


def named(graph, triples):
    keys, relations = graph.entities.keys, graph.relations.keys
    return [(keys[head], relations[relation], keys[tail]) for head, relation, tail in triples.tolist()]


def test_a_linear_map_is_found_again(graph):
    weight = torch.randn(DIM, 6, generator=torch.Generator().manual_seed(0))
    structure = graph.modalities["place"].features @ weight
    known = structure[: COUNT - 5]
    assert torch.allclose(guessed(graph, known, torch.ones(len(known), dtype=torch.bool)), structure[-5:], atol=0.02)


def test_features_that_say_nothing_are_not_believed(graph):
    rows = torch.randn(COUNT, 6, generator=torch.Generator().manual_seed(0))
    noise = graph_with_features(graph, torch.randn(COUNT, 30, generator=torch.Generator().manual_seed(1)))
    guess = guessed(noise, rows[:-5], torch.ones(COUNT - 5, dtype=torch.bool))
    assert (guess - rows[:-5].mean(0)).norm() < 0.5 * (rows[-5:] - rows[:-5].mean(0)).norm()


def graph_with_features(graph, features):
    return replace(graph, modalities={"place": dhns.graph.knowledge_graph.Modality(features, torch.ones(COUNT).bool())})


def test_no_features_and_no_triples_is_the_mean(held, rotate):
    grown = with_entities(rotate, graph_with(held.graph, held.keys))
    structure, known = grown.model.encoder.structure, held.graph.num_entities
    mean = structure[:known][held.graph.seen_entities].mean(0)
    assert torch.allclose(structure[known:], mean.expand(COUNT - known, -1), atol=1e-5)


KINDS = 4


@pytest.fixture(scope="module")
def kinds():
    """Entities of four kinds, which their features tell, each linked to what its kind is linked to."""
    keys = [f"e{number:02}" for number in range(COUNT)] + [f"hub{kind}" for kind in range(KINDS)]
    triples = [
        (f"e{i:02}", relation, f"hub{(i + shift) % KINDS}") for i in range(COUNT) for shift, relation in enumerate("rs")
    ]
    vectors = {f"e{i:02}": torch.eye(KINDS)[i % KINDS].tolist() for i in range(COUNT)}
    return dhns.KnowledgeGraph.from_triples(triples, features={"kind": vectors}, entities=keys)


def test_features_and_triples_each_tell_what_a_newcomer_is(kinds, tmp_path):
    held = hold_out_entities(kinds, 0.2, seed=3)
    module = train(held.graph, "complex_n3", tmp_path, **{"trainer.max_epochs": 100})
    is_r = held.triples[:, 1] == 0
    given, asked = held.triples[is_r], held.triples[~is_r]

    def mrr(features, triples):
        grown = with_entities(module, graph_with(held.graph, held.keys, features), triples)
        return rank_queries(grown, asked)[0]["tail/mrr"]

    untold = mrr(None, None)
    assert mrr(held.features, None) > 2 * untold
    assert mrr(None, given) > untold


@pytest.mark.parametrize("model", ["rotate", "complex_n3", "adamf", "ikrl"])
def test_all_others_score_as_before(held, model, tmp_path):
    settings = {"encoder.when_missing": "use_available"} if model == "ikrl" else {}
    module = train(held.graph, model, tmp_path, **settings, **{"trainer.max_epochs": 2})
    grown = with_entities(module, graph_with(held.graph, held.keys, held.features), held.triples, steps=3)
    with torch.no_grad():
        before, after = (each.model.score_triples(held.graph.train) for each in (module, grown))
    assert torch.allclose(before, after, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "message"), [("rsme", "keeps encoder.images of each entity"), ("transae", "depends on all others")]
)
def test_models_that_cannot_say_so(held, model, message, tmp_path):
    settings = {"encoder.when_missing": "use_available", "trainer.max_epochs": 1}
    module = train(held.graph, model, tmp_path, **settings)
    with pytest.raises(dhns.InputError, match=message):
        with_entities(module, graph_with(held.graph, held.keys, held.features))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "no new entities; name each by its key in labels or features"),
        ((["n"], {"place": {"n": ["north", "a", "b", "c"]}}), "place features of 'n': .*; expected 4 numbers"),
        ((["e00"],), "'e00' is an entity already"),
        ((["n", "n"],), "given twice"),
        ((["n"], {"sound": {"n": [1.0]}}), r"no modality 'sound' \(it has: place\)"),
        ((["n"], {"place": {"m": [1.0]}}), "'m', which is no new entity"),
        ((["n"], {"place": {"n": [1.0]}}), r"shape \(1,\); expected 4 finite numbers"),
        ((["n"], {"place": {"n": [1.0, 2.0, 3.0, float("nan")]}}), "expected 4 finite numbers"),
    ],
)
def test_newcomers_that_are_none(graph, arguments, message):
    with pytest.raises(dhns.InputError, match=message):
        graph_with(graph, *arguments)


def test_a_newcomer_takes_no_name_away(graph):
    labels = tuple(f"Thing {number}" for number in range(COUNT))
    called = replace(graph, entities=Vocabulary("entity", graph.entities.keys, labels))
    with pytest.raises(dhns.InputError, match="'Thing 1' is what e01 is called, and would mean the new one now"):
        graph_with(called, ["Thing 1"])


def test_a_model_is_told_by_name_and_a_blend_too(held, rotate):
    known, new = held.graph.entities.keys[0], held.keys[0]
    vector = {"place": {new: held.features["place"][new].tolist()}}
    for ranker in (rotate, Blend([rotate, rotate], [1, 2])):
        model = dhns.training.trained_model.TrainedModel(ranker)
        told = model.with_entities([(new, "1 on", known)], vector, {new: "Newland"})
        answers = told.predict(head="Newland", relation="1 on", k=COUNT)
        assert known in {answer.key for answer in answers}
        assert new not in model.graph.entities.ids
        with pytest.raises(dhns.InputError, match="no entity is named 'nobody'"):
            model.with_entities([(new, "1 on", "nobody")], vector)
        with pytest.raises(dhns.InputError, match="no new entities"):
            model.with_entities()


def test_triples_of_old_entities_alone_are_refused(held, rotate):
    with pytest.raises(dhns.InputError, match="has no new entity"):
        with_entities(rotate, graph_with(held.graph, held.keys), held.graph.train[:1])
    with pytest.raises(dhns.InputError, match=r"a share of 0\.001 is 0 of"):
        hold_out_entities(held.graph, 0.001)
