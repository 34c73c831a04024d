"""The LightningDataModule: a prepared graph, as batches."""

from __future__ import annotations

from collections.abc import Iterator

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, Sampler, SequentialSampler

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.randomness import stream
from dhns.ranking.evaluation import queries_per_chunk


class TripleDataset(Dataset[Tensor]):
    """Triples ``(n, 3)``, fetched a batch of rows at a time."""

    def __init__(self, triples: Tensor) -> None:
        self.triples = triples

    def __len__(self) -> int:
        return len(self.triples)

    def __getitem__(self, rows: list[int]) -> Tensor:
        return self.triples[rows]


class QueryDataset(TripleDataset):
    """Triples with their row numbers, by which the metric counts each once."""

    def __getitem__(self, rows: list[int]) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return torch.tensor(rows), self.triples[rows]


class ShuffledBatches(Sampler[list[int]]):
    """Every row once per epoch, in an order of the seed and the epoch alone, so that a resumed run repeats it.

    Lightning calls `set_epoch` at the start of each epoch.
    """

    def __init__(self, rows: int, batch_size: int, seed: int) -> None:
        self.rows, self.batch_size, self.seed = rows, batch_size, seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.rows // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = torch.randperm(self.rows, generator=stream(self.seed, "order", self.epoch))
        for start in range(0, self.rows, self.batch_size):
            yield order[start : start + self.batch_size].tolist()


class TripleDataModule(pl.LightningDataModule):
    """Training batches ``(B, 3)`` and validation batches ``(query, triples)`` of a graph.

    Args:
        graph: prepared by the protocol.
        batch_size: positives per step.
        seed: of the order.
        valid_triples: rank only this many validation triples, a fixed random choice, to save time; all when null.
    """

    def __init__(self, graph: KnowledgeGraph, batch_size: int, seed: int, valid_triples: int | None = None) -> None:
        super().__init__()
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}; at least 1 is needed")
        self.graph, self.batch_size, self.seed = graph, batch_size, seed
        self.valid = graph.valid
        if valid_triples is not None and valid_triples < len(graph.valid):
            chosen = torch.randperm(len(graph.valid), generator=stream(0, "validation subset"))[:valid_triples]
            self.valid = graph.valid[chosen.sort().values]

    def train_dataloader(self) -> DataLoader[Tensor]:
        dataset = TripleDataset(self.graph.train)
        return DataLoader(dataset, sampler=ShuffledBatches(len(dataset), self.batch_size, self.seed), batch_size=None)

    def val_dataloader(self) -> DataLoader[Tensor]:
        dataset = QueryDataset(self.valid)
        size = queries_per_chunk(self.graph.num_entities)
        return DataLoader(
            dataset, sampler=BatchSampler(SequentialSampler(dataset), size, drop_last=False), batch_size=None
        )
