"""Discovery finds what scoring every triple finds, and scores of few candidates are those of all."""

import itertools

import pytest
import torch

from dhns.errors import InputError
from dhns.graph.candidates import CandidateEntities
from dhns.graph.queries import Queries
from dhns.training import discovery
from dhns.training.blend import Blend
from dhns.training.discovery import discover
from dhns.training.prediction import score_facts


@pytest.fixture
def rankers(make_module):
    rotate = make_module("model=dhns", "generator=none").eval()
    product = make_module("model=complex_n3", "scorer.init_range=0.5").eval()
    return {"rotate": rotate, "reciprocal": product, "blend": Blend([rotate, product])}


KINDS = ("rotate", "reciprocal", "blend")


@pytest.mark.parametrize("kind", KINDS)
def test_few_candidates_score_as_among_all(rankers, kind):
    ranker = rankers[kind]
    queries = Queries(torch.tensor([0, 3, 5]), torch.tensor([1, 0, 2]), torch.tensor([False, True, False]))
    candidates = torch.tensor([5, 0, 3, 11])
    with torch.no_grad():
        torch.testing.assert_close(ranker.score_among(queries, candidates), ranker.score_all(queries)[:, candidates])


def by_hand(ranker, relations, candidates):
    """Every triple that may be new, best first, with its score."""
    graph = ranker.graph
    known = {tuple(row) for row in torch.cat([graph.train, graph.valid, graph.test]).tolist()}
    seen = graph.train.tolist()
    new = []
    for relation in relations:
        heads, tails = ({row[side] for row in seen if row[1] == relation} for side in (0, 2))
        if candidates == "all":
            heads = tails = range(graph.num_entities)
        new += [(h, relation, t) for h, t in itertools.product(heads, tails) if h != t]
    new = [triple for triple in new if triple not in known]
    scores = score_facts(ranker, torch.tensor(new))
    order = scores.argsort(descending=True)
    return torch.tensor(new)[order], scores[order]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("candidates", ["seen", "all"])
def test_it_finds_what_scoring_everything_finds(rankers, kind, candidates, monkeypatch):
    monkeypatch.setattr(discovery, "_HEADS", 3)  # several chunks
    triples, scores = discover(rankers[kind], n=15, candidates=candidates)
    expected, its_scores = by_hand(rankers[kind], range(3), candidates)
    assert triples.tolist() == expected[:15].tolist()
    torch.testing.assert_close(scores, its_scores[:15])


def test_of_each_relation(rankers):
    ranker = rankers["rotate"]
    triples, _ = discover(ranker, [2, 0], n=4, each_relation=True)
    expected = [row for relation in (2, 0) for row in by_hand(ranker, [relation], "seen")[0][:4].tolist()]
    assert triples.tolist() == expected
    everything, _ = discover(ranker, [2], n=10_000)
    assert len(everything) == len(by_hand(ranker, [2], "seen")[0]), "there are no more"
    assert discover(ranker, [], n=5)[0].shape == (0, 3)


def test_loops_count_where_the_relation_has_one(make_module, toy_graph, rankers):
    with torch.no_grad():
        rankers["rotate"].model.relations.zero_()  # nothing is nearer than the entity itself
    assert all(head != tail for head, _, tail in discover(rankers["rotate"], [0], candidates="all")[0].tolist())
    train = torch.cat([toy_graph.train, torch.tensor([[11, 0, 11]])])
    object.__setattr__(rankers["rotate"].graph, "train", train)
    object.__setattr__(toy_graph, "train", train)
    assert any(head == tail for head, _, tail in discover(rankers["rotate"], [0], candidates="all")[0].tolist())


def test_what_finds_nothing_is_refused(rankers):
    with pytest.raises(InputError, match="n is 0; at least 1 triple"):
        discover(rankers["rotate"], n=0)


def test_scores_that_are_none_are_told(rankers):
    with torch.no_grad():
        rankers["rotate"].model.relations[1] = torch.nan
    with pytest.raises(InputError, match="relation 'previous' has a score that is NaN or infinite"):
        discover(rankers["rotate"])


def test_candidates_are_those_of_train(toy_graph):
    seen = CandidateEntities(toy_graph, "seen")
    for relation, side in itertools.product(range(3), (True, False)):
        rows = toy_graph.train[toy_graph.train[:, 1] == relation]
        assert seen.of(relation, side).tolist() == sorted(set(rows[:, 0 if side else 2].tolist()))
    queries = Queries(torch.tensor([0, 0]), torch.tensor([2, 1]), torch.tensor([False, True]))
    drawn, usable = seen.draw(queries, 200, torch.Generator().manual_seed(0))
    assert usable.all()
    assert [set(row) for row in drawn.tolist()] == [set(seen.of(2, False).tolist()), set(seen.of(1, True).tolist())]
    assert CandidateEntities(toy_graph, "all").of(1, True).tolist() == list(range(12))


def test_a_relation_that_train_lacks_has_no_candidates(toy_graph):
    without = toy_graph.train[toy_graph.train[:, 1] != 2]
    object.__setattr__(toy_graph, "train", without)
    seen = CandidateEntities(toy_graph, "seen")
    assert len(seen.of(2, True)) == 0
    queries = Queries(torch.tensor([0, 0]), torch.tensor([2, 1]), torch.tensor([False, False]))
    assert seen.draw(queries, 3, torch.Generator())[1].tolist() == [False, True]
