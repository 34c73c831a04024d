import pytest
import torch

from dhns.graph.triple_sets import distinct


@pytest.mark.parametrize("columns", [2, 3])
def test_distinct_rows_come_once_and_in_order(columns):
    drawn = torch.randint(7, (500, columns), generator=torch.Generator().manual_seed(0))
    found = distinct(drawn)
    assert found.tolist() == sorted(map(list, {tuple(row) for row in drawn.tolist()}))
    assert found.dtype == torch.int64


def test_ids_may_be_large_and_rows_few():
    rows = torch.tensor([[10**7, 10**4, 10**7], [0, 10**4, 0], [10**7, 10**4, 10**7]])
    assert distinct(rows).tolist() == [[0, 10**4, 0], [10**7, 10**4, 10**7]]
    assert distinct(rows[:0]).shape == (0, 3)
