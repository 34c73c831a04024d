"""Twins: which ids each third of the negatives takes structure and features from, and who may lend them."""

import dataclasses

import pytest
import torch

from builders import small_model
from dhns.encoders.structural import StructuralEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.models.kge_model import KGEModel
from dhns.negatives.twins import TwinsSampler
from dhns.negatives.view_donors import ViewDonors
from dhns.randomness import stream
from dhns.scorers.transe import TransE

DONORS = [0, 2, 4, 6, 8, 10]  # entities of the toy graph with an image


@pytest.fixture
def model(toy_graph):
    return small_model(toy_graph, TransE(dim=6))


def true_ids(triples, negatives):
    return torch.where(negatives.head_side, triples[:, 0], triples[:, 2]).tolist()


def kinds(triples, negatives, view):
    """What each negative replaces, read from its ids."""
    found = []
    for true, entities, lent in zip(
        true_ids(triples, negatives), negatives.entity.tolist(), negatives.views[view].tolist(), strict=True
    ):
        for e, v in zip(entities, lent, strict=True):
            found.append(
                {(True, True): "both", (True, False): "structure", (False, True): "views"}[e != true, v != true]
            )
            if found[-1] == "both":
                assert e == v
    return found


@pytest.mark.parametrize("count", [1, 3, 4])
def test_each_kind_is_a_third_of_the_batch(toy_graph, model, count):
    triples = toy_graph.train[:12]
    negatives = TwinsSampler(toy_graph, count)(triples, 0, stream(0, "test"), model)
    assert set(negatives.views) == {"visual", "textual"}
    for view in negatives.views:
        found = kinds(triples, negatives, view)
        assert [found.count(kind) for kind in ("both", "structure", "views")] == [4 * count] * 3


def test_every_positive_has_each_kind(toy_graph, model):
    triples = toy_graph.train[:12]
    negatives = TwinsSampler(toy_graph, 4)(triples, 0, stream(0, "test"), model)
    found = kinds(triples, negatives, "visual")
    assert all({*found[i : i + 4]} == {"both", "structure", "views"} for i in range(0, 48, 4))


def test_lent_structure_is_no_known_answer(toy_graph, model):
    known = {tuple(row) for row in toy_graph.train.tolist()}
    triples = toy_graph.train
    negatives = TwinsSampler(toy_graph, 60)(triples, 0, stream(0, "test"), model)
    true = true_ids(triples, negatives)
    for row, (h, r, t) in enumerate(triples.tolist()):
        lent = [e for e in negatives.entity[row].tolist() if e != true[row]]
        assert len(lent) == 40
        assert not {(e, r, t) if negatives.head_side[row] else (h, r, e) for e in lent} & known


def test_one_side_and_only_the_views_asked_for(toy_graph, model):
    negatives = TwinsSampler(toy_graph, 6, views=["visual"])(toy_graph.train, 0, stream(0, "test"), model)
    assert set(negatives.views) == {"visual"}
    assert negatives.head_side.shape == (len(toy_graph.train),)


def test_a_stream_fixes_the_draws(toy_graph, model):
    sampler = TwinsSampler(toy_graph, 6)
    before = torch.get_rng_state()
    first, again, other = (sampler(toy_graph.train, 0, stream(0, name), model) for name in ("a", "a", "b"))
    assert torch.equal(first.entity, again.entity)
    assert torch.equal(first.views["visual"], again.views["visual"])
    assert not torch.equal(first.views["visual"], other.views["visual"])
    assert torch.equal(torch.get_rng_state(), before)


def test_donors_are_uniform_over_others_that_have_the_view(toy_graph):
    draws = 40_000
    lent = ViewDonors(toy_graph, ["visual"]).draw(torch.tensor([4, 5, 11]), draws, stream(0, "test"))
    for row, borrower in zip(lent, (4, 5, 11), strict=True):
        others = [entity for entity in DONORS if entity != borrower]
        shares = (torch.bincount(row, minlength=12) / draws).tolist()
        assert sorted(set(row.tolist())) == others
        assert all(abs(shares[entity] - 1 / len(others)) < 0.012 for entity in others)


def test_donors_need_one_of_the_views_only(toy_graph):
    assert ViewDonors(toy_graph, ["visual", "textual"]).entities.tolist() == list(range(12))


def test_graphs_and_models_without_the_views_are_refused(toy_graph):
    bare = dataclasses.replace(toy_graph, modalities={})
    with pytest.raises(InputError, match=r"no view to swap .*none"):
        TwinsSampler(bare)
    with pytest.raises(InputError, match=r"names 'audio'.*visual, textual"):
        TwinsSampler(toy_graph, views=["audio"])
    one = torch.arange(12) == 3
    lonely = dataclasses.replace(toy_graph, modalities={"visual": Modality(torch.zeros(12, 2), one)})
    with pytest.raises(InputError, match="fewer than 2 entities of toy have visual"):
        TwinsSampler(lonely)
    scorer = TransE(dim=6)
    blind = KGEModel(StructuralEncoder(toy_graph, scorer), scorer, 3)
    with pytest.raises(InputError, match=r"encoder has no view 'visual'.*structure"):
        TwinsSampler(toy_graph)(toy_graph.train, 0, stream(0, "test"), blind)
