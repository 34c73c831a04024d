"""The graphs that are worked on: the benchmarks where they lie on this machine, else random ones of the same counts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Benchmark:
    """A published data set: its file in ``conf/dataset``, its counts, and the widths of its official features."""

    name: str
    config: str
    entities: int
    relations: int
    train: int
    valid: int
    test: int
    visual: int
    textual: int


MKG_Y = Benchmark("MKG-Y", "mkg_y", 15000, 28, 21310, 2665, 2663, visual=383, textual=384)
DB15K = Benchmark("DB15K", "db15k", 12842, 279, 79222, 9904, 9902, visual=4096, textual=768)
SMALL = Benchmark("synthetic-small", "mkg_y", 10_000, 50, 200_000, 100, 100, visual=0, textual=0)
LARGE = Benchmark("synthetic-large", "mkg_y", 1_000_000, 50, 200_000, 100, 100, visual=0, textual=0)


class Graphs:
    """Folders of graphs in OpenKE's layout, which every side reads for itself.

    Args:
        scratch: folder for what has to be made.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch

    def folder(self, benchmark: Benchmark) -> Path:
        """Of the real triples, or of random ones."""
        real = self._real(benchmark)
        if real is not None:
            return real
        folder = self._scratch / benchmark.name
        if not folder.is_dir():
            write_random_graph(folder, benchmark)
        return folder

    def folder_with_features(self, benchmark: Benchmark) -> Path:
        """The same triples with random features beside them."""
        folder = self._scratch / f"{benchmark.name}-features"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            for file in self.folder(benchmark).glob("*2id.txt"):
                (folder / file.name).symlink_to(file)
            random = np.random.default_rng(0)
            for name, width in (("visual", benchmark.visual), ("textual", benchmark.textual)):
                np.save(folder / f"{name}.npy", random.standard_normal((benchmark.entities, width), np.float32))
        return folder

    def describe(self, benchmark: Benchmark) -> str:
        """For the table."""
        kind = "real triples" if self._real(benchmark) else "synthetic graph of the same counts (DHNS_DATA has none)"
        return f"{benchmark.name}, {kind}"

    def _real(self, benchmark: Benchmark) -> Path | None:
        folder = (Path(os.environ.get("DHNS_DATA", "data")) / benchmark.name).resolve()
        return folder if (folder / "train2id.txt").is_file() else None


def write_random_graph(folder: Path, benchmark: Benchmark) -> None:
    """Distinct random triples, entities and relations drawn with power-law frequencies, in OpenKE's layout."""
    folder.mkdir(parents=True)
    total = benchmark.train + benchmark.valid + benchmark.test
    triples = _distinct_triples(benchmark, total)
    names = {"entity": benchmark.entities, "relation": benchmark.relations}
    for kind, count in names.items():
        _write(folder / f"{kind}2id.txt", [f"{kind}{i} {i}" for i in range(count)])
    splits = np.split(triples, [benchmark.train, benchmark.train + benchmark.valid])
    for split, rows in zip(("train", "valid", "test"), splits, strict=True):
        _write(folder / f"{split}2id.txt", [f"{head} {tail} {relation}" for head, tail, relation in rows])


def _distinct_triples(benchmark: Benchmark, total: int) -> np.ndarray:
    """``(total, 3)`` rows (head, tail, relation) in random order."""
    random = np.random.default_rng(0)

    def draw(choices: int, exponent: float) -> np.ndarray:
        weight = np.arange(1, choices + 1) ** -exponent
        return random.permutation(choices)[random.choice(choices, 2 * total, p=weight / weight.sum())]

    entities, relations = benchmark.entities, benchmark.relations
    rows = np.stack([draw(entities, 0.6), draw(entities, 0.6), draw(relations, 1.0)], axis=1)
    return random.permutation(np.unique(rows, axis=0))[:total]


def _write(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join([str(len(rows)), *rows]) + "\n", encoding="utf-8")


def read_triples(folder: str, split: str) -> np.ndarray:
    """``(n, 3)`` int64 rows (head, relation, tail); for sides that have no reader of their own."""
    return np.loadtxt(Path(folder) / f"{split}2id.txt", dtype=np.int64, skiprows=1)[:, [0, 2, 1]]


def count(folder: str, kind: str) -> int:
    """How many entities or relations there are."""
    with (Path(folder) / f"{kind}2id.txt").open(encoding="utf-8") as file:
        return int(file.readline())
