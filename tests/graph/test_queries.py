"""Queries, against loops over triples."""

import torch

from dhns.graph.queries import Queries, answers

TRIPLES = torch.tensor([[0, 0, 1], [2, 0, 1], [0, 1, 1], [0, 0, 3], [1, 0, 0], [2, 0, 1]])
SIDES = torch.tensor([False, True, False, False, True, True])


def rows(queries):
    return list(zip(*(part.tolist() for part in queries), strict=True))


def test_a_triple_answers_a_query_of_either_side():
    queries = Queries.of(TRIPLES, SIDES)
    sided = list(zip(TRIPLES.tolist(), SIDES.tolist(), strict=True))
    assert rows(queries) == [(t, r, side) if side else (h, r, side) for (h, r, t), side in sided]
    assert answers(TRIPLES, SIDES).tolist() == [h if side else t for (h, _, t), side in sided]
    assert torch.equal(queries.triples(answers(TRIPLES, SIDES)), TRIPLES)


def test_both_sides_are_those_of_every_triple_tails_first():
    queries, answer = Queries.both_sides(TRIPLES)
    tails, heads = torch.zeros(6, dtype=torch.bool), torch.ones(6, dtype=torch.bool)
    assert rows(queries) == rows(Queries.of(TRIPLES, tails)) + rows(Queries.of(TRIPLES, heads))
    assert answer.tolist() == answers(TRIPLES, tails).tolist() + answers(TRIPLES, heads).tolist()


def test_keys_are_equal_for_equal_queries_only_and_ascend_with_side_entity_and_relation():
    everything = [(e, r, bool(s)) for s in range(2) for e in range(4) for r in range(3)]
    keys = Queries(*map(torch.tensor, zip(*everything, strict=True))).key(4, 3)
    assert keys.tolist() == list(range(24))


def test_distinct_queries_and_where_they_stand():
    queries = Queries.of(TRIPLES, SIDES)
    distinct, row = queries.distinct(num_relations=2)
    assert rows(distinct) == sorted(set(rows(queries)))
    assert rows(distinct.rows(row)) == rows(queries)
