"""Neighbourhoods and what is drawn from them, against breadth-first searches in plain Python."""

from itertools import pairwise

import numpy as np
import pytest
import torch

import dhns.negatives.links as links
import dhns.negatives.neighbourhoods as module
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph, Vocabulary
from dhns.graph.queries import Queries
from dhns.negatives.neighbourhoods import Neighbourhoods
from dhns.negatives.sans import SANS
from dhns.randomness import stream

NO_MODEL = None  # it looks at no model


def numbered(kind, count):
    return Vocabulary(kind, *2 * (tuple(f"{kind} {i}" for i in range(count)),))


@pytest.fixture
def graph():
    """A path 0 - 1 - 2 - 3 - 4 of relation 0, a pair 5 - 6, a loop at 7 and two entities without links."""
    train = torch.tensor([[0, 0, 1], [2, 0, 1], [2, 0, 3], [3, 0, 4], [5, 0, 6], [7, 0, 7]])
    empty = torch.empty(0, 3, dtype=torch.int64)
    return KnowledgeGraph("path", numbered("entity", 10), numbered("relation", 1), train, empty, empty)


def within(graph, entity, hops):
    """Other entities at a distance of at most ``hops``."""
    reached = frontier = {entity}
    for _ in range(hops):
        links = [(h, t) for h, _, t in graph.train.tolist()]
        frontier = {t for h, t in links if h in frontier} | {h for h, t in links if t in frontier}
        reached = reached | frontier
    return reached - {entity}


def answers(graph, entity, relation, head_side):
    ends = [(t, h) if head_side else (h, t) for h, r, t in graph.train.tolist() if r == relation]
    return {answer for observed, answer in ends if observed == entity}


def rows(table):
    bounds = table.offsets.tolist()
    return [table.members[a:b].tolist() for a, b in pairwise(bounds)]


def many(sampler, triple, head_side, count, times=4000):
    """``(times, count)`` draws for one positive."""
    triples = torch.tensor([triple]).expand(times, 3)
    queries = Queries.of(triples, torch.full((times,), head_side))
    return sampler.draw(queries, count, stream(0, "test"))


def assert_uniform(draws, over):
    """A chi-square statistic below its 99.999 % quantile, roughly its mean and six deviations."""
    found = torch.bincount(draws.flatten(), minlength=max(over) + 1)
    assert set(found.nonzero().flatten().tolist()) == set(over)
    expected = draws.numel() / len(over)
    freedom = len(over) - 1
    assert ((found[list(over)] - expected) ** 2 / expected).sum() < freedom + 6 * (2 * freedom) ** 0.5 + 6


@pytest.fixture
def hubs():
    """Sixty entities, five of them without links, eight with a loop, and two hubs."""
    draw = np.random.default_rng(0)
    pairs = [*draw.integers(0, 55, (40, 2)), *((i, i) for i in range(8)), *((i, 50 + i % 2) for i in range(0, 48, 2))]
    train = torch.tensor([[head, 0, tail] for head, tail in draw.permutation(pairs)])
    empty = torch.empty(0, 3, dtype=torch.int64)
    return KnowledgeGraph("hubs", numbered("entity", 60), numbered("relation", 1), train, empty, empty)


@pytest.mark.parametrize("steps", [1, 30, links.STEPS])
@pytest.mark.parametrize("dense", [0, links.DENSE, 10**9])
@pytest.mark.parametrize("hops", [1, 2, 3, 5])
def test_neighbourhoods_are_those_of_a_breadth_first_search(graph, toy_graph, hubs, monkeypatch, hops, steps, dense):
    monkeypatch.setattr(links, "STEPS", steps)
    monkeypatch.setattr(links, "DENSE", dense)
    for g in (graph, toy_graph, hubs):
        assert rows(Neighbourhoods(g, hops)) == [sorted(within(g, e, hops)) for e in range(g.num_entities)]


def test_neighbourhoods_are_a_power_of_the_adjacency_matrix():
    """On a graph that takes many parts, and both ways of finding distinct numbers."""
    draw = np.random.default_rng(1)
    # a few entities have most of the links
    head, tail = (draw.permutation(1500)[(1400 * draw.random(3000) ** 3).astype(int)] for _ in range(2))
    train = torch.from_numpy(np.stack([head, np.zeros_like(head), tail], axis=1))
    graph = KnowledgeGraph("power", numbered("entity", 1500), numbered("relation", 1), train, train[:0], train[:0])
    linked = torch.eye(1500)
    linked[head, tail] = linked[tail, head] = 1
    near = torch.eye(1500)
    for hops in range(1, 5):
        near = (near @ linked).clamp(max=1)
        table = Neighbourhoods(graph, hops)
        source, member = (near - torch.eye(1500)).nonzero().unbind(1)
        assert torch.equal(table.members[:-1].long(), member)
        assert torch.equal(table.offsets.diff(), torch.bincount(source, minlength=1500))


def test_walks_stay_within_the_neighbourhood_and_fill_it_in_the_end(graph, toy_graph):
    torch.manual_seed(0)
    for g in (graph, toy_graph):
        exact = [sorted(within(g, e, 2)) for e in range(g.num_entities)]
        assert rows(Neighbourhoods(g, 2, walks=2000)) == exact
        few = rows(Neighbourhoods(g, 2, walks=1))
        assert all(set(found) <= set(all_) for found, all_ in zip(few, exact, strict=True))
        assert all(len(found) <= 2 for found in few)
        assert all(found for found, all_ in zip(few, exact, strict=True) if all_)


@pytest.mark.parametrize("steps", [1, 100, links.STEPS])
def test_walks_take_the_numbers_of_the_global_generator_in_a_fixed_order(hubs, monkeypatch, steps):
    """A step of all walks after the other, some sources at a time; however many of them are walked at once."""
    monkeypatch.setattr(links, "STEPS", steps)
    monkeypatch.setattr(links, "BLOCK", 7 * hubs.num_entities)
    torch.manual_seed(3)
    found = rows(Neighbourhoods(hubs, hops=3, walks=4))
    torch.manual_seed(3)
    passed = []
    for block in torch.arange(hubs.num_entities).split(7):
        near = {entity: sorted(within(hubs, entity, 1) | loops(hubs, entity)) for entity in range(hubs.num_entities)}
        walkers = {entity: [entity] * 4 for entity in block.tolist() if near[entity]}
        trace = {entity: set() for entity in block.tolist()}
        for _ in range(3):
            for source in walkers:
                draws = torch.rand(4, dtype=torch.float64).tolist()
                walkers[source] = [
                    near[at][int(draw * len(near[at]))] for at, draw in zip(walkers[source], draws, strict=True)
                ]
                trace[source].update(walkers[source])
        passed += [sorted(trace[source] - {source}) for source in trace]
    assert found == passed


def loops(graph, entity):
    return {entity} if [entity, 0, entity] in graph.train.tolist() else set()


@pytest.mark.parametrize("walks", [None, 3])
def test_work_grows_with_the_links_not_with_the_square_of_the_entities(walks):
    """Half a million entities in pairs: all cells of a table of them would take hours."""
    count = 500_000
    heads = torch.arange(0, count, 2)
    train = torch.stack([heads, torch.zeros_like(heads), heads + 1], dim=1)
    graph = KnowledgeGraph("pairs", numbered("entity", count), numbered("relation", 1), train, train[:0], train[:0])
    table = Neighbourhoods(graph, hops=3, walks=walks)
    assert torch.equal(table.members[:-1].long(), torch.arange(count) ^ 1)
    assert torch.equal(table.offsets, torch.arange(count + 1))


def test_walks_are_random(toy_graph):
    torch.manual_seed(0)
    assert len({str(rows(Neighbourhoods(toy_graph, 3, walks=1))) for _ in range(5)}) > 1


def test_members_are_found_by_binary_search(toy_graph):
    table = Neighbourhoods(toy_graph, 1)
    entity, other = torch.cartesian_prod(torch.arange(12), torch.arange(12)).unbind(1)
    position, found = table.find(entity, other)
    for e, o, p, f in zip(entity.tolist(), other.tolist(), position.tolist(), found.tolist(), strict=True):
        near = sorted(within(toy_graph, e, 1))
        assert f == (o in near)
        assert p == sum(member < o for member in near)


@pytest.mark.parametrize(
    ("triple", "head_side", "hops", "candidates"),
    [
        ((0, 0, 1), False, 2, {2}),  # near 0: 1 and 2; 1 is known
        ((0, 0, 1), True, 2, {3}),  # near 1: 0, 2 and 3; 0 and 2 are known
        ((2, 0, 3), False, 1, None),  # near 2: 1 and 3, both known
        ((3, 0, 4), False, 3, {0, 1, 2}),
        ((3, 0, 4), True, 3, {1, 2}),
        ((2, 0, 3), False, 2, {0, 4}),
        ((7, 0, 7), False, 2, None),  # a loop has no neighbour
    ],
)
def test_negatives_are_uniform_over_the_candidates_nearby(graph, triple, head_side, hops, candidates):
    sampler = SANS(graph, hops=hops)
    unknown = set(range(10)) - answers(graph, triple[2] if head_side else triple[0], 0, head_side)
    if candidates is None:
        assert_uniform(many(sampler, triple, head_side, 2), unknown)
        return
    drawn = many(sampler, triple, head_side, len(candidates) + 2)
    assert_uniform(drawn[:, : len(candidates)], candidates)
    assert_uniform(drawn[:, len(candidates) :], unknown)


@pytest.mark.parametrize("walks", [None, 2])
def test_every_training_query_draws_its_own_candidates(toy_graph, walks):
    torch.manual_seed(0)
    sampler = SANS(toy_graph, hops=2, walks=walks)
    near = rows(sampler.neighbourhoods)
    tested = 0
    for triple in toy_graph.train.tolist():
        for head_side in (False, True):
            observed = triple[2] if head_side else triple[0]
            known = answers(toy_graph, observed, triple[1], head_side)
            candidates = set(near[observed]) - known
            drawn = many(sampler, triple, head_side, len(candidates) + 1, times=200)
            assert set(drawn[:, :-1].flatten().tolist()) == candidates
            assert not set(drawn[:, -1].tolist()) & known
            tested += bool(candidates) and bool(known - set(near[observed])) == (walks is not None)
    assert tested


def test_unfiltered_negatives_may_be_known(graph):
    assert_uniform(many(SANS(graph, hops=1, filtered=False), (2, 0, 3), False, 2), {1, 3})


def test_queries_without_known_answers_draw_the_whole_neighbourhood(graph):
    assert_uniform(many(SANS(graph, hops=1), (4, 0, 0), False, 1), {3})


def test_neighbourhoods_are_made_anew_and_not_stored(toy_graph):
    assert not SANS(toy_graph, walks=3).state_dict()


@pytest.mark.parametrize("settings", [{"hops": 0}, {"hops": -1}, {"walks": 0}])
def test_numbers_below_one_are_refused(graph, settings):
    key = next(iter(settings))
    with pytest.raises(InputError, match=f"negatives.{key} is {settings[key]}; expected at least 1"):
        SANS(graph, **settings)


def test_neighbourhoods_that_do_not_fit_are_refused(graph, monkeypatch):
    monkeypatch.setattr(module, "MOST_MEMBERS", 10)
    expected = "hold some 16 entities, more than 10; expected fewer hops, or"
    with pytest.raises(InputError, match=rf"hops is 2: .* path {expected} random walks \(negatives.walks=1\)"):
        SANS(graph, hops=2)
    monkeypatch.setattr(module, "_expected_members", lambda search, num_entities: (0.0, 0.0))
    with pytest.raises(InputError, match=r"hold some \d+ entities, more than 10"):
        SANS(graph, hops=2)
    assert len(Neighbourhoods(graph, hops=1).members) == 11


@pytest.mark.parametrize(("hops", "walks", "way_out"), [(2, None, "random walks"), (5, 300, "fewer walks")])
def test_a_sample_tells_that_neighbourhoods_will_not_fit(monkeypatch, hops, walks, way_out):
    """On a star of 3000 entities, where each has all others within two hops."""
    train = torch.stack([torch.arange(1, 3000), torch.zeros(2999).long(), torch.zeros(2999).long()], dim=1)
    star = KnowledgeGraph("star", numbered("entity", 3000), numbered("relation", 1), train, train[:0], train[:0])
    monkeypatch.setattr(module, "MOST_MEMBERS", 900_000)
    searched = []
    for name in ("within", "walked"):
        search = getattr(links.Links, name)
        monkeypatch.setattr(
            links.Links,
            name,
            lambda *given, search=search, **other: searched.append(len(given[1])) or search(*given, **other),
        )
    with pytest.raises(
        InputError, match=rf"some [0-9,]{{9}} entities.* or {way_out} \(negatives.walks={300 // hops}\)"
    ):
        Neighbourhoods(star, hops, walks)
    assert max(searched) <= module.SAMPLE
    assert len(Neighbourhoods(star, hops, walks=300 // hops).members) <= 900_000


def test_a_sample_leaves_the_walks_as_they_are(hubs, monkeypatch):
    torch.manual_seed(0)
    found = rows(Neighbourhoods(hubs, 3, walks=2))
    monkeypatch.setattr(module, "MOST_MEMBERS", 500)
    torch.manual_seed(0)
    assert rows(Neighbourhoods(hubs, 3, walks=2)) == found
