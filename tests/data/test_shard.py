"""Processes share rows so that each takes as many, and none is left out."""

import pytest
import torch

from dhns.data.datamodule import ShuffledBatches
from dhns.data.shard import WHOLE, Shard


def test_a_process_alone_takes_everything():
    rows = torch.randperm(7)
    assert torch.equal(WHOLE.take(rows), rows)


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 12])
def test_every_row_is_taken_and_all_take_as_many(count, processes):
    rows = torch.arange(count) * 10
    shares = [Shard(rank, processes).take(rows).tolist() for rank in range(processes)]
    assert {row for share in shares for row in share} == set(rows.tolist())
    assert {len(share) for share in shares} == {-(-count // processes)}
    missing = -count % processes
    assert sum(map(len, shares)) == count + (missing if count else 0), "no more repeats than evenness needs"


def test_processes_share_the_batches_of_one():
    whole, *shares = (ShuffledBatches(13, 4, 0, shard) for shard in (WHOLE, Shard(0, 2), Shard(1, 2)))
    for batch, *parts in zip(whole, *shares, strict=True):
        assert set(torch.cat(parts).tolist()) == set(batch.tolist())
        assert len(parts[0]) == len(parts[1])
