"""Graphs at the edge of being one: trained and ranked like others."""

import math
from itertools import pairwise

import pytest

import dhns

E = [f"e{number}" for number in range(5)]
LAST = {"protocol": "as_published"}
WITHOUT_VALIDATION = {"protocol.select": "last_epoch"}
GRAPHS = {
    "one triple": ([("a", "r", "b")], WITHOUT_VALIDATION),
    "one entity": ([("a", "r", "a")], WITHOUT_VALIDATION),
    "one relation": ([(head, "r", tail) for head, tail in pairwise(E)], WITHOUT_VALIDATION),
    "self-loops": ([(entity, "r", entity) for entity in E], WITHOUT_VALIDATION),
    "complete, so that no negative exists": ([(head, "r", tail) for head in E for tail in E], WITHOUT_VALIDATION),
}


@pytest.mark.parametrize(("train", "settings"), GRAPHS.values(), ids=GRAPHS)
def test_trained_and_ranked(train, settings, tmp_path):
    graph = dhns.KnowledgeGraph.from_triples(train, test=train[:1])
    small = {"scorer.dim": 3, "progress": False, **settings}
    run = dhns.train(graph, "rotate", budget="smoke", outputs=tmp_path, settings=small, **LAST)
    assert 0 < run.metrics["mrr"] <= 1
    assert math.isfinite(run.model.score(train)[0])


@pytest.mark.parametrize("dim", [1, 3, 7])
@pytest.mark.parametrize("model", ["rotate", "complex"])
def test_odd_dimensions(model, dim, tmp_path):
    train = GRAPHS["one relation"][0]
    graph = dhns.KnowledgeGraph.from_triples(train, test=train[:1])
    small = {"scorer.dim": dim, "progress": False, **WITHOUT_VALIDATION}
    assert dhns.train(graph, model, budget="smoke", outputs=tmp_path, settings=small, **LAST).metrics["mrr"] > 0
