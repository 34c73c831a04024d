"""Batches: every triple once, in an order of the seed and the epoch alone."""

from types import SimpleNamespace

import pytest
import torch

from dhns.data.datamodule import ShuffledBatches, TripleDataModule
from dhns.errors import InputError
from dhns.graph.queries import Queries


def epoch(graph, number, seed=0, batch_size=7):
    loader = TripleDataModule(graph, batch_size, seed).train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def test_every_triple_comes_once_per_epoch(toy_graph):
    batches = epoch(toy_graph, 0)
    assert [len(batch) for batch in batches] == [7, 7, 4]
    assert len(ShuffledBatches(18, 7, 0)) == 3
    assert sorted(torch.cat(batches).tolist()) == sorted(toy_graph.train.tolist())


def test_order_is_of_the_seed_and_the_epoch(toy_graph):
    first = torch.cat(epoch(toy_graph, 1))
    assert torch.equal(torch.cat(epoch(toy_graph, 1)), first)
    assert not torch.equal(torch.cat(epoch(toy_graph, 2)), first)
    assert not torch.equal(torch.cat(epoch(toy_graph, 1, seed=1)), first)


def test_order_needs_no_global_state(toy_graph):
    before = torch.get_rng_state()
    list(ShuffledBatches(18, 7, 0))
    assert torch.equal(torch.get_rng_state(), before)


def test_validation_queries_carry_their_row(toy_graph):
    for query, triples in TripleDataModule(toy_graph, 7, 0).val_dataloader():
        assert torch.equal(toy_graph.valid[query], triples)
    assert query.tolist() == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2, 3, 99])
def test_a_fixed_choice_of_validation_triples(toy_graph, count):
    chosen, again = (TripleDataModule(toy_graph, 7, seed, valid_triples=count).valid for seed in (0, 1))
    assert len(chosen) == min(count, 3)
    assert torch.equal(chosen, again), "the choice is the same for every seed"
    assert {tuple(row) for row in chosen.tolist()} <= {tuple(row) for row in toy_graph.valid.tolist()}


def test_batches_need_a_row(toy_graph):
    with pytest.raises(InputError, match="batch_size is 0"):
        TripleDataModule(toy_graph, 0, 0)


def test_batches_by_query_hold_every_answer_of_their_queries(toy_graph):
    data = TripleDataModule(toy_graph, batch_size=5, seed=1, by_query=True)
    loader = data.train_dataloader()
    loader.sampler.set_epoch(0)
    answers, asked = {}, []
    for h, r, t in toy_graph.train.tolist():
        answers.setdefault((h, r, False), set()).add(t)
        answers.setdefault((t, r, True), set()).add(h)
    for triples, head_side, queries, row in loader:
        found = {}
        for (h, r, t), side in zip(triples.tolist(), head_side.tolist(), strict=True):
            found.setdefault((t if side else h, r, side), set()).add(h if side else t)
        assert len(found) <= 5
        expected = Queries.of(triples, head_side)
        assert all(map(torch.equal, queries.rows(row), expected))
        assert len(queries.entity) == len(found)
        assert all(answers[query] == found[query] for query in found)
        asked += found
    assert len(asked) == len(answers)
    assert set(asked) == set(answers)
    assert len(loader) == -(-len(answers) // 5)


def test_orders_by_query_differ_by_epoch_and_repeat_by_seed(toy_graph):
    def order(seed, epoch):
        loader = TripleDataModule(toy_graph, batch_size=5, seed=seed, by_query=True).train_dataloader()
        loader.sampler.set_epoch(epoch)
        return torch.cat([batch.triples for batch in loader])

    assert torch.equal(order(1, 0), order(1, 0))
    assert not torch.equal(order(1, 0), order(1, 1))
    assert not torch.equal(order(1, 0), order(2, 0))


def test_training_triples_lie_on_the_device_and_are_indexed_there(toy_graph):
    """``meta`` stands for an accelerator: a batch that came from the processor would not be on it."""
    data = TripleDataModule(toy_graph, 7, 0)
    data.trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("meta")), global_rank=0, world_size=2
    )
    loader = data.train_dataloader()
    assert [(batch.device.type, len(batch)) for batch in loader] == [("meta", 4), ("meta", 4), ("meta", 2)]
    by_query = TripleDataModule(toy_graph, 7, 0, by_query=True)
    by_query.trainer = data.trainer
    assert by_query.train_dataloader().pin_memory
    assert not TripleDataModule(toy_graph, 7, 0, by_query=True).train_dataloader().pin_memory
