"""The LightningDataModule: a prepared graph, as batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler

from dhns.data.shard import WHOLE, Shard
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.queries import Queries
from dhns.randomness import stream
from dhns.ranking.evaluation import queries_per_chunk


class TripleDataset(Dataset[Tensor]):
    """Triples ``(n, 3)``, fetched a batch of rows at a time."""

    def __init__(self, triples: Tensor) -> None:
        self.triples = triples

    def __len__(self) -> int:
        return len(self.triples)

    def __getitem__(self, rows: Tensor) -> Tensor:
        return self.triples[rows]


class QueryDataset(TripleDataset):
    """Triples with their row numbers, by which the metric counts each once."""

    def __getitem__(self, rows: list[int]) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return torch.tensor(rows), self.triples[rows]


class ShuffledBatches(Sampler[Tensor]):
    """Every row once per epoch, in an order of the seed and the epoch alone, so that a resumed run repeats it.

    Processes that train together take their shards of the same batches. Lightning calls `set_epoch` at the start of
    each epoch. The order is drawn by the processor, whatever the device that the batches are on, and sent there whole.
    """

    def __init__(
        self, rows: int, batch_size: int, seed: int, shard: Shard = WHOLE, device: torch.device | None = None
    ) -> None:
        self.rows, self.batch_size, self.seed, self.shard, self.device = rows, batch_size, seed, shard, device
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.rows, generator=stream(self.seed, "order", self.epoch))
        yield from map(self.shard.take, torch.split(order.to(self.device), self.batch_size))


class Answered(NamedTuple):
    """All answers of some queries, ``B`` of ``Q``.

    Attributes:
        triples: ``(B, 3)``.
        head_side: ``(B,)`` bool, the side that is asked for.
        queries: the Q distinct queries, as `Queries.distinct` gives them: an accelerator would be waited for.
        row: ``(B,)`` the query that each triple answers.
    """

    triples: Tensor
    head_side: Tensor
    queries: Queries
    row: Tensor

    @classmethod
    def of(cls, triples: Tensor, head_side: Tensor, num_relations: int) -> Answered:
        """Triples ``(B, 3)`` that answer queries for the sides ``(B,)``."""
        return cls(triples, head_side, *Queries.of(triples, head_side).distinct(num_relations))


class SidedTriples(Dataset[Answered]):
    """Every triple twice, once for each side that can be asked for, sorted by query ``(side, entity, relation)``.

    Attributes:
        offsets: ``(queries + 1,)`` where the answers of each distinct query begin.
    """

    def __init__(self, graph: KnowledgeGraph) -> None:
        queries, _ = Queries.both_sides(graph.train)
        key, order = queries.key(graph.num_entities, graph.num_relations).sort(stable=True)
        self.num_relations = graph.num_relations
        self.triples = graph.train.repeat(2, 1)[order]
        self.head_side = queries.head_side[order]
        lengths = torch.unique_consecutive(key, return_counts=True)[1]
        self.offsets = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])

    def __len__(self) -> int:
        return len(self.triples)

    def __getitem__(self, queries: Tensor) -> Answered:
        """All answers of some queries."""
        start, length = self.offsets[queries], self.offsets[queries + 1] - self.offsets[queries]
        first = length.cumsum(0) - length
        rows = torch.arange(int(length.sum())) + (start - first).repeat_interleave(length)
        return Answered.of(self.triples[rows], self.head_side[rows], self.num_relations)


class TripleDataModule(pl.LightningDataModule):
    """Training batches and validation batches ``(query, triples)`` of a graph.

    Args:
        graph: prepared by the protocol.
        batch_size: positives per step, of all processes together; queries per step if ``by_query``.
        seed: of the order.
        valid_triples: rank only this many validation triples, a fixed random choice, to save time; all when null.
        by_query: training batches are all answers of some queries of both sides, `Answered`, so that a loss over all
            entities scores a query once; else they are triples ``(B, 3)``, on the device of the training.
    """

    def __init__(
        self,
        graph: KnowledgeGraph,
        batch_size: int,
        seed: int,
        valid_triples: int | None = None,
        by_query: bool = False,
    ) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; at least 1 is needed")
        self.graph, self.batch_size, self.seed, self.by_query = graph, batch_size, seed, by_query
        self.valid = graph.valid
        if valid_triples is not None and valid_triples < len(graph.valid):
            chosen = torch.randperm(len(graph.valid), generator=stream(0, "validation subset"))[:valid_triples]
            self.valid = graph.valid[chosen.sort().values]

    def train_dataloader(self) -> DataLoader[Any]:
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if self.by_query:
            sided = SidedTriples(self.graph)
            batches = ShuffledBatches(len(sided.offsets) - 1, self.batch_size, self.seed, self._shard)
            # from pageable memory a copy would wait for all that the accelerator has still to do
            return DataLoader(sided, sampler=batches, batch_size=None, pin_memory=device.type != "cpu")
        train = self.graph.train.to(device)  # a few MB: no batch is sent there
        batches = ShuffledBatches(len(train), self.batch_size, self.seed, self._shard, device)
        return DataLoader(TripleDataset(train), sampler=batches, batch_size=None)

    def val_dataloader(self) -> DataLoader[Tensor]:
        dataset = QueryDataset(self.valid)
        rows = self._shard.take(torch.arange(len(dataset))).tolist()
        size = queries_per_chunk(self.graph.num_entities)
        return DataLoader(dataset, sampler=BatchSampler(rows, size, drop_last=False), batch_size=None)

    @property
    def _shard(self) -> Shard:
        return Shard(self.trainer.global_rank, self.trainer.world_size) if self.trainer else WHOLE
