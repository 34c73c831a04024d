import torch

from dhns.graph.cardinality import CATEGORIES, heads_per_tail, relation_category, tails_per_head

TRIPLES = torch.tensor(
    [
        *[(i, 0, i + 10) for i in range(3)],  # one to one
        *[(0, 1, i) for i in (1, 2, 2)],  # a duplicate counts once
        *[(i, 2, 0) for i in range(4)],
        *[(i, 3, j) for i in range(2) for j in range(3)],
    ]
)


def test_means_count_distinct_triples():
    assert tails_per_head(TRIPLES, 5).tolist() == [1, 2, 1, 3, 1]
    assert heads_per_tail(TRIPLES, 5).tolist() == [1, 1, 4, 2, 1]


def test_categories():
    assert [CATEGORIES[index] for index in relation_category(TRIPLES, 5)] == ["1-1", "1-N", "N-1", "N-N", "1-1"]


def test_threshold_is_one_and_a_half():
    triples = torch.tensor([(0, 0, 1), (0, 0, 2), (1, 0, 3), (0, 1, 1), (0, 1, 2), (1, 1, 3), (2, 1, 4)])
    assert tails_per_head(triples, 2).tolist() == [1.5, torch.tensor(4 / 3).item()]
    assert relation_category(triples, 2).tolist() == [1, 0]
