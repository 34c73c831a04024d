"""Adam on the rows that a batch names."""

import copy

import pytest
import torch
from torch.nn.functional import embedding

from dhns.errors import InputError
from dhns.optim import lazy_adam
from dhns.optim.lazy_adam import LazyAdam
from dhns.optim.optimization import Optimization

BATCHES = [[0, 2, 2], [2, 5], [0, 0, 1], [4]]


@pytest.fixture
def table():
    return torch.nn.Parameter(torch.randn(7, 3, generator=torch.Generator().manual_seed(0)))


def train(table, optimizer, batches, sparse=True):
    goal = torch.randn(len(table), 3, generator=torch.Generator().manual_seed(1))
    for batch in batches:
        rows = torch.tensor(batch)
        optimizer.zero_grad()
        (embedding(rows, table, sparse=sparse) - goal[rows]).square().sum().backward()
        assert table.grad.is_sparse == sparse
        optimizer.step()


def test_rows_move_as_sparse_adam_moves_them(table):
    twin = copy.deepcopy(table)
    train(table, LazyAdam([table], lr=0.1), BATCHES)
    train(twin, torch.optim.SparseAdam([twin], lr=0.1), BATCHES)
    torch.testing.assert_close(table, twin)


def test_rows_that_are_never_named_stay(table):
    before = table.detach().clone()
    train(table, LazyAdam([table], lr=0.1), BATCHES)
    moved = (table != before).any(1)
    assert moved.tolist() == [True, True, True, False, True, True, False]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_it_is_adam_where_every_batch_names_every_row(table, weight_decay):
    twin, everything = copy.deepcopy(table), [list(range(7))] * 5
    train(table, LazyAdam([table], lr=0.1, weight_decay=weight_decay), everything)
    train(twin, torch.optim.Adam([twin], lr=0.1, weight_decay=weight_decay), everything, sparse=False)
    torch.testing.assert_close(table, twin)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_rows_taken_in_chunks_end_in_the_same_bits(table, weight_decay, monkeypatch):
    twin = copy.deepcopy(table)
    train(table, LazyAdam([table], lr=0.1, weight_decay=weight_decay), BATCHES)
    monkeypatch.setitem(lazy_adam.CHUNK_BYTES, "cpu", 1)
    train(twin, LazyAdam([twin], lr=0.1, weight_decay=weight_decay), BATCHES)
    assert torch.equal(table, twin)


def test_dense_gradients_are_adams(table):
    twin = copy.deepcopy(table)
    train(table, LazyAdam([table], lr=0.1), BATCHES, sparse=False)
    train(twin, torch.optim.Adam([twin], lr=0.1), BATCHES, sparse=False)
    assert torch.equal(table, twin)


def test_its_state_survives_a_checkpoint(table):
    twin = copy.deepcopy(table)
    first = LazyAdam([table], lr=0.1)
    train(table, first, BATCHES)
    half = LazyAdam([twin], lr=0.1)
    train(twin, half, BATCHES[:2])
    resumed = LazyAdam([twin], lr=0.1)
    resumed.load_state_dict(copy.deepcopy(half.state_dict()))
    train(twin, resumed, BATCHES[2:])
    assert torch.equal(table, twin)


def test_clipping_of_sparse_gradients_is_refused():
    with pytest.raises(InputError, match="clip_norm=null"):
        Optimization(LazyAdam, clip_norm=1.0, sparse=True)
