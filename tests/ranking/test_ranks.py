"""The ranker against slow, obvious ones."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dhns.errors import InputError
from dhns.ranking import ranks as ranks_module
from dhns.ranking.ranks import NonFiniteScoreError, filtered_ranks

NOTHING = torch.empty(0, dtype=torch.int64)


def slow_ranks(scores, answer, known_query, known_entity):
    """A dense mask of the candidates and a loop over them."""
    batch, entities = scores.shape
    candidate = torch.ones(batch, entities, dtype=torch.bool)
    for query, entity in zip(known_query.tolist(), known_entity.tolist(), strict=True):
        candidate[query, entity] = False
    result = []
    for query, true in enumerate(answer.tolist()):
        candidate[query, true] = True
        rivals = [e for e in range(entities) if candidate[query, e] and e != true]
        better = sum(bool(scores[query, e] > scores[query, true]) for e in rivals)
        tied = sum(bool(scores[query, e] == scores[query, true]) for e in rivals)
        result.append((better + 1, better + tied + 1, len(rivals) + 1))
    return torch.tensor(result)


def openke_rank(scores, answer, known):
    """The reference evaluator's rule (OpenKE's ``Test.h``): count the strictly smaller distances of unknown triples."""
    distance = [-score for score in scores]
    minimal, rank = distance[answer], 0
    for entity, value in enumerate(distance):
        if entity != answer and value < minimal and entity not in known:
            rank += 1
    return rank + 1


@st.composite
def ranking_problems(draw):
    """Few distinct scores, so that ties abound; known answers with repeats, with and without the answer among them."""
    batch, entities = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    levels = draw(st.sampled_from([1, 2, 5, 1000]))
    scores = torch.randint(-levels, levels, (batch, entities), generator=generator).float() / 7
    answer = torch.randint(entities, (batch,), generator=generator)
    known = draw(st.integers(0, 30))
    known_query = torch.randint(batch, (known,), generator=generator)
    known_entity = torch.randint(entities, (known,), generator=generator)
    if draw(st.booleans()):
        known_query = torch.cat([known_query, torch.arange(batch)])
        known_entity = torch.cat([known_entity, answer])
    return scores, answer, known_query, known_entity


@settings(max_examples=200, deadline=None)
@given(ranking_problems(), st.sampled_from([1, 7, 2**20]))
def test_ranks_equal_those_of_a_loop_over_candidates(problem, block_cells):
    scores_before = problem[0].clone()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ranks_module.BLOCK_CELLS, "cpu", block_cells)
        ranks = filtered_ranks(*problem)
    assert torch.stack(ranks[:3], dim=1).tolist() == slow_ranks(*problem).tolist()
    assert all(column.dtype == torch.int64 for column in ranks)
    assert torch.equal(problem[0], scores_before)


@settings(max_examples=100, deadline=None)
@given(ranking_problems())
def test_optimistic_ranks_equal_the_reference_evaluator(problem):
    scores, answer, known_query, known_entity = problem
    expected = [
        openke_rank(scores[row].tolist(), true, set(known_entity[known_query == row].tolist()))
        for row, true in enumerate(answer.tolist())
    ]
    assert filtered_ranks(*problem).optimistic.tolist() == expected


def test_equal_scores_rank_in_the_middle_of_what_the_filter_leaves():
    scores = torch.full((2, 10), -3.5)
    ranks = filtered_ranks(scores, torch.tensor([4, 9]), torch.tensor([0, 0, 0, 0]), torch.tensor([1, 2, 2, 4]))
    assert ranks.candidates.tolist() == [8, 10]
    assert ranks.optimistic.tolist() == [1, 1]
    assert ranks.pessimistic.tolist() == [8, 10]
    assert ranks.realistic.tolist() == [4.5, 5.5]
    assert ranks.realistic.dtype == torch.float64


def test_a_batch_without_queries_has_no_ranks():
    ranks = filtered_ranks(torch.empty(0, 5), NOTHING, NOTHING, NOTHING)
    assert [len(column) for column in ranks] == [0, 0, 0, 0]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["the answer", "a rival", "a known answer"])
def test_non_finite_scores_are_refused_with_their_rows(bad, where):
    scores = torch.zeros(4, 6)
    column = {"the answer": 0, "a rival": 5, "a known answer": 3}[where]
    scores[1, column] = scores[3, column] = bad
    with pytest.raises(NonFiniteScoreError, match="2 of 4 queries") as caught:
        filtered_ranks(scores, torch.zeros(4, dtype=torch.int64), torch.tensor([1, 3]), torch.tensor([3, 3]))
    assert caught.value.rows == (1, 3)
    assert isinstance(caught.value, InputError)
