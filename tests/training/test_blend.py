"""A blend averages standardised scores, chooses weights on validation, and is stored like a run."""

import math
from dataclasses import replace

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.fingerprint import fingerprint
from dhns.graph.queries import Queries
from dhns.training.blend import MOST_CANDIDATES, Blend, try_weights, weight_grid
from dhns.training.evaluation import rank_split


@pytest.fixture
def members(make_module):
    return [
        make_module("model=rotate", "own_entity=false").eval(),
        make_module("model=complex_n3", "scorer.init_range=0.5").eval(),
    ]


@pytest.mark.parametrize("count", [2, 3, 4, 8, 40])
def test_weights_that_are_tried(count):
    found = weight_grid(count)
    assert len(set(found)) >= len(found) - 1, "equal weights may be of the grid too"
    assert len(found) <= MOST_CANDIDATES + 1
    assert all(math.isclose(sum(weights), 1) and min(weights) >= 0 for weights in found)
    assert {tuple(float(i == j) for i in range(count)) for j in range(count)} <= set(found)
    assert found[0] == (1 / count,) * count


def test_scores_are_standardised_and_averaged(members):
    queries = Queries(torch.tensor([0, 3]), torch.tensor([1, 0]), torch.tensor([False, True]))
    with torch.no_grad():
        raw = [member.score_all(queries) for member in members]
        found = Blend(members, [3, 1]).score_all(queries)
    parts = [(scores - scores.mean(1, keepdim=True)) / scores.std(1, correction=0, keepdim=True) for scores in raw]
    torch.testing.assert_close(found, 0.75 * parts[0] + 0.25 * parts[1])


def test_all_weight_on_one_ranks_as_that_one(members):
    for weights, member in (([1, 0], members[0]), ([0, 2], members[1])):
        found, ranks = rank_split(Blend(members, weights), "test")
        expected, its_ranks = rank_split(member, "test")
        assert found == expected
        assert (ranks.optimistic == its_ranks.optimistic).all()


def test_weights_are_chosen_by_the_validation_mrr(members):
    tried = try_weights(Blend(members))
    assert [choice.mrr for choice in tried] == sorted((choice.mrr for choice in tried), reverse=True)
    for choice in (tried[0], tried[-1]):
        metrics, _ = rank_split(Blend(members, choice.weights), "valid")
        assert choice.mrr == pytest.approx(metrics["mrr"], abs=1e-6)


def test_of_equally_good_weights_the_most_even_are_chosen(members):
    assert try_weights(Blend([members[0], members[0]]))[0].weights == (0.5, 0.5)


def test_equal_scores_of_a_member_say_nothing(members):
    with torch.no_grad():
        members[1].model.relations.zero_()  # a product is 0 throughout
        members[1].model.own_entity = None
    found, _ = rank_split(Blend(members), "test")
    expected, _ = rank_split(members[0], "test")
    assert found == expected


@pytest.mark.parametrize("weights", [[1], [1, 2, 3], [-1, 2], [0, 0], [math.nan, 1], [math.inf, 1]])
def test_weights_that_do_not_go_with_the_runs_are_refused(members, weights):
    with pytest.raises(InputError, match="expected 2 numbers, one per run"):
        Blend(members, weights)


def test_one_run_is_no_blend(members):
    with pytest.raises(InputError, match="two runs or more"):
        Blend(members[:1])


def test_runs_of_other_data_are_refused(members, toy_graph):
    other = replace(toy_graph, test=toy_graph.test.flip(0))  # as if it was trained on another split
    members[1].graph, members[1].fingerprints = other, fingerprint(other)
    with pytest.raises(InputError, match=r"different graphs .* test differ"):
        Blend(members)
