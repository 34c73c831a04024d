"""Modalities taken away on purpose: who loses what, and that everyone loses the same."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hydra.utils import instantiate

from builders import composed
from dhns.errors import InputError
from dhns.graph.fingerprint import fingerprint
from dhns.graph.knowledge_graph import Modality
from dhns.graph.load import load_graph
from dhns.graph.missing import MissingModalities

STRATEGIES = ("random", "low_degree", "high_degree")


def removed(graph, strategy, share, **options):
    return MissingModalities(strategy, share, **options).remove(graph).removed


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("share", "of_twelve", "of_six"), [(0.1, 1, 1), (0.3, 4, 2), (0.5, 6, 3), (0.75, 9, 4)])
def test_a_share_of_those_who_have_it_lose_it(toy_graph, strategy, share, of_twelve, of_six):
    masks = removed(toy_graph, strategy, share)
    assert (int(masks["textual"].sum()), int(masks["visual"].sum())) == (of_twelve, of_six)
    assert not (masks["visual"] & ~toy_graph.modalities["visual"].present).any()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_what_is_lost_is_gone_and_nothing_else(toy_graph, strategy):
    graph = MissingModalities(strategy, 0.5).remove(toy_graph)
    for name, before in toy_graph.modalities.items():
        after, lost = graph.modalities[name], graph.removed[name]
        assert torch.equal(after.present, before.present & ~lost)
        assert torch.equal(after.features, before.features * ~lost[:, None])
    assert toy_graph.modalities["textual"].present.all(), "the graph itself stays as it was"
    untouched = {key: value for key, value in fingerprint(toy_graph).items() if not key.startswith("modality/")}
    assert untouched.items() <= fingerprint(graph).items()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_greater_shares_take_what_smaller_ones_take(toy_graph, strategy):
    chain = [removed(toy_graph, strategy, share) for share in (0.1, 0.3, 0.5, 0.9)]
    for smaller, greater in pairwise(chain):
        assert all((greater[name] | ~smaller[name]).all() for name in smaller)


def test_degrees_order_the_entities_and_equals_are_drawn(toy_graph):
    degree = torch.bincount(toy_graph.train[:, [0, 2]].flatten(), minlength=12)
    for share in (0.25, 0.5, 0.75):
        lost = removed(toy_graph, "low_degree", share)["textual"]
        assert degree[lost].max() <= degree[~lost].min()
        lost = removed(toy_graph, "high_degree", share)["textual"]
        assert degree[lost].min() >= degree[~lost].max()
    ring = torch.stack([torch.arange(12), torch.zeros(12, dtype=torch.int64), torch.arange(12).roll(-1)], dim=1)
    equals = replace(toy_graph, train=ring)
    masks = {tuple(removed(equals, "low_degree", 0.5, seed=seed)["textual"].tolist()) for seed in range(5)}
    assert len(masks) > 1


def test_the_degree_is_that_of_train(toy_graph):
    held_out = removed(replace(toy_graph, test=toy_graph.train, valid=toy_graph.train), "low_degree", 0.5)
    assert all(torch.equal(mask, held_out[name]) for name, mask in removed(toy_graph, "low_degree", 0.5).items())
    trained = removed(replace(toy_graph, train=toy_graph.valid), "low_degree", 0.5)
    assert not torch.equal(trained["textual"], held_out["textual"])


def test_the_choice_is_of_its_own_seed_and_modality(toy_graph):
    everyone = torch.ones(12, dtype=torch.bool)
    whole = replace(toy_graph, modalities={name: Modality(torch.ones(12, 2), everyone) for name in ("visual", "audio")})
    torch.manual_seed(1)
    first = removed(whole, "random", 0.5)
    torch.manual_seed(2)
    again, other = removed(whole, "random", 0.5), removed(whole, "random", 0.5, seed=1)
    assert torch.equal(first["audio"], again["audio"])
    assert not torch.equal(first["audio"], other["audio"])
    assert not torch.equal(first["audio"], first["visual"])
    alone = removed(whole, "random", 0.5, modalities=["audio"])
    assert list(alone) == ["audio"]
    assert torch.equal(alone["audio"], first["audio"]), "whatever becomes of other modalities"


EMBEDDED = {
    "random": ("347fed5e", "17e00b98"),
    "low_degree": ("27b32215", "422ee283"),
    "high_degree": ("7e72d234", "8a02e189"),
}


@pytest.mark.parametrize(("strategy", "prints"), EMBEDDED.items(), ids=EMBEDDED)
def test_masks_of_the_embedded_graph_are_those_of_the_stored_results(strategy, prints):
    graph = load_graph(composed(f"missing={strategy}"))
    found = fingerprint(graph)
    assert (found["removed/textual"][:8], found["removed/visual"][:8]) == prints
    assert "textual features taken from 336 of the 1119 entities" in graph.notes[-2]


def test_by_default_nothing_is_missing():
    config = composed()
    assert not load_graph(config).removed
    del config.missing
    assert not load_graph(config).removed, "settings stored before there were masks"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "oldest"}, "missing.strategy is 'oldest'; expected random or low_degree or high_degree"),
        ({"share": 0.0}, "missing.share is 0.0; .* missing=none"),
        ({"share": 30}, "missing.share is 30; expected a share between 0 and 1"),
        ({"modalities": ["visual", "smell"]}, "names 'smell', and toy has visual, textual"),
        ({"modalities": []}, "names nothing, and toy has"),
    ],
)
def test_bad_settings(toy_graph, options, message):
    with pytest.raises(InputError, match=message):
        MissingModalities(**{"strategy": "random", "share": 0.3, **options}).remove(toy_graph)


def test_a_graph_without_modalities_has_nothing_to_lose(toy_graph):
    with pytest.raises(InputError, match="toy has no modality to take away"):
        MissingModalities("random", 0.3).remove(replace(toy_graph, modalities={}))


def test_the_shipped_files_say_the_same():
    for strategy in STRATEGIES:
        assert instantiate(composed(f"missing={strategy}").missing) == MissingModalities(strategy, 0.3)
