"""How steps, ranking and memory grow with a graph, and the tables and the figure of docs/sizes.md.

    python scripts/sizes.py measure [NAME ...]   # each cell in a process of its own; writes results/sizes
    python scripts/sizes.py                      # writes tables and figure from there

Graphs are random, of three triples per entity. What is compared are CPU seconds of one thread, which other work on the
machine lengthens least.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from pytorch_lightning.callbacks import Callback

from blocks import ROOT, replaced, rewrite
from dhns.config.resolvers import register_resolvers
from dhns.data.datamodule import TripleDataModule
from dhns.files import write_json
from dhns.graph.knowledge_graph import KnowledgeGraph, Modality, Vocabulary
from dhns.kernels.allocator import keep_freed_memory, leave_new_memory_as_it_is
from dhns.ranking.evaluation import rank_triples
from dhns.resources import conf_dir
from dhns.results.store import versions
from dhns.training.build import build_module
from dhns.training.module import LinkPredictionModule

PAGE, RESULTS = ROOT / "docs" / "sizes.md", ROOT / "results" / "sizes"
BEGIN = "<!-- measured: scripts/sizes.py writes this block from results/sizes -->\n"
ENTITIES, DIMS = (10_000, 100_000, 1_000_000, 3_000_000), (64, 128)
RELATIONS, TEXT, BATCH, NEGATIVES = 50, 384, 1024, 64
WARM, COUNTED = 4, 7


# --- what is measured -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """What is measured in one process.

    Attributes:
        work: ``step`` or ``ranking``.
        settings: further overrides, by what the cell's name calls them.
    """

    work: str
    model: str
    entities: int
    dim: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its file."""
        return "-".join([self.work, self.model, str(self.entities), str(self.dim), *self.settings])


def lazy(model: str, entities: int, dim: int, **settings: str) -> Cell:
    """A step that moves the rows of its batch alone."""
    return Cell("step", model, entities, dim, {"lazy_adam": "optimization=lazy_adam", **settings})


def dense(entities: int, dim: int) -> Cell:
    """A step of RotatE that moves the whole table."""
    return Cell("step", "rotate", entities, dim, {"adam": "optimization=adam"})


def shared(entities: int) -> Cell:
    """A step of RotatE whose positives share their negatives."""
    sampler = "negatives=shared negatives.num_negatives=1024 negatives.sides=bernoulli"
    return lazy("rotate", entities, 128, shared=sampler)


def ranking(model: str, entities: int, dim: int) -> Cell:
    """Queries ranked among all entities."""
    return Cell("ranking", model, entities, dim)


def growths() -> dict[str, dict[int, Cell]]:
    """Steps of DHNS by what grows."""
    least, steps, levels = ENTITIES[0], (25, 50, 100), (1, 4, 8)
    chain = "generator.model.sampling_steps=null generator.model.schedule.steps={}"
    return {
        "entities": {entities: lazy("dhns", entities, 64) for entities in ENTITIES[:3]},
        "dim": {dim: lazy("dhns", least, dim) for dim in (32, 64, 256)},
        "T, all steps of the chain": {T: lazy("dhns", least, 64, **{f"T{T}": chain.format(T)}) for T in steps},
        "levels": {count: lazy("dhns", least, 64, **{f"levels{count}": _levels(count)}) for count in levels},
    }


def _levels(count: int) -> str:
    """So many, evenly up to the middle of the chain."""
    each = (f"{{time:{0.5 * (k + 1) / count},weight:1.0,margin:0.5}}" for k in range(count))
    return f"generator.levels=[{','.join(each)}]"


def cells() -> Iterator[Cell]:
    """All, some more than once."""
    for dim in DIMS:
        for entities in ENTITIES:
            yield from (lazy("rotate", entities, dim), ranking("rotate", entities, dim))
    for entities in ENTITIES[:3]:
        yield from (dense(entities, 128), lazy("adamf", entities, 128), ranking("adamf", entities, 128))
    yield from map(shared, ENTITIES)
    for members in growths().values():
        yield from members.values()


# --- measuring ------------------------------------------------------------------------------------------------------


def measure(cell: Cell) -> None:
    """In a process of its own, so that the peak of memory is that of the cell."""
    load = os.getloadavg()[0]
    command = [sys.executable, "-W", "ignore", __file__, "cell", json.dumps(asdict(cell))]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    content = {"cell": asdict(cell), **found, "load_before": round(load, 1), "versions": versions()}
    write_json(RESULTS / f"{cell.name}.json", content)


def measured(cell: Cell, folder: Path) -> dict[str, float]:
    """Seconds and peak memory, in this process."""
    torch.set_num_threads(1)
    keep_freed_memory()
    leave_new_memory_as_it_is()
    graph = random_graph(cell, folder)
    before, began = peak_gb(), now()
    module = build_module(composed(cell), graph)
    start = dict(zip(("start_s", "start_cpu_s"), since(began), strict=True))
    found = stepped(module) if cell.work == "step" else ranked(module)
    return {"graph_gb": before, **start, **found, "peak_gb": peak_gb()}


def composed(cell: Cell) -> dict[str, Any]:
    """The settings of a cell; its graph takes the place of the data set's."""
    register_resolvers()
    overrides = [f"model={cell.model}", f"scorer.dim={cell.dim}", f"data.batch_size={BATCH}"]
    overrides += [f"negatives.num_negatives={NEGATIVES}", *" ".join(cell.settings.values()).split()]
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        config: Any = OmegaConf.to_container(compose("train", overrides=overrides), resolve=False)
    plain: dict[str, Any] = config
    return plain


def random_graph(cell: Cell, folder: Path) -> KnowledgeGraph:
    """Degrees fall with the power 0.6 of the rank; there is a textual modality if the model takes one."""
    random, count = np.random.default_rng(0), cell.entities
    rows = np.empty((3 * count, 3), dtype=np.int64)
    for column in (0, 2):
        rows[:, column] = random.permutation(count)[(count * random.random(len(rows)) ** 2.5).astype(np.int64)]
    rows[:, 1] = random.integers(RELATIONS, size=len(rows))
    triples = torch.from_numpy(rows)
    entities, relations = (
        Vocabulary(kind, keys, keys)
        for kind, keys in (
            ("entity", tuple(f"entity {number}" for number in range(count))),
            ("relation", tuple(f"relation {number}" for number in range(RELATIONS))),
        )
    )
    modalities = {} if cell.model == "rotate" else {"textual": mapped_features(folder, count)}
    return KnowledgeGraph("random", entities, relations, triples[100:], triples[:100], triples[:100], modalities)


def mapped_features(folder: Path, entities: int) -> Modality:
    """Random vectors in half precision in a file, of which memory holds what is read."""
    path = folder / "textual.npy"
    rows = np.lib.format.open_memmap(path, "w+", np.float16, (entities, TEXT))
    some = np.random.default_rng(1).standard_normal((10_000, TEXT)).astype(np.float16)
    for start in range(0, entities, len(some)):
        rows[start : start + len(some)] = some
    rows.flush()
    return Modality(torch.from_numpy(np.load(path, mmap_mode="c")), torch.ones(entities, dtype=torch.bool))


class Timed(Callback):
    """When steps begin; ends the training when there were enough."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.starts: list[tuple[float, float]] = []

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        self.starts.append(now())
        trainer.should_stop = len(self.starts) > self.steps


def stepped(module: LinkPredictionModule) -> dict[str, float]:
    """Medians of a training step, in Lightning's loop, and how many entities a batch names."""
    timed = Timed(WARM + COUNTED)
    off = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=-1,
        limit_val_batches=0,
        deterministic="warn",
        callbacks=[timed],
        **dict.fromkeys(off, False),  # type: ignore[arg-type]
    )
    trainer.fit(module, TripleDataModule(module.graph, BATCH, seed=0))
    assert module.sampler is not None
    batch = module.graph.train[:BATCH]
    drawn = module.sampler(batch, 0, torch.Generator().manual_seed(0), module.model).entity
    named = torch.unique(torch.cat([batch[:, 0], batch[:, 2], drawn.flatten()]))
    return medians(np.diff(np.array(timed.starts[WARM:]), axis=0)) | {"named": len(named)}


def ranked(module: LinkPredictionModule) -> dict[str, float]:
    """What comes before the first query, and medians of a query of two and of one of 64."""
    module.eval()
    began = now()
    module.start_ranking()
    found = dict(zip(("prepare_s", "prepare_cpu_s"), since(began), strict=True))
    for name, triples in (("query", 1), ("queries", 32)):
        times = [_ranking(module, module.graph.valid[:triples]) for _ in range(6)]
        found |= {f"{name}_{key}": value / (2 * triples) for key, value in medians(np.array(times[1:])).items()}
    return found


def _ranking(module: LinkPredictionModule, triples: torch.Tensor) -> tuple[float, float]:
    """Wall and CPU seconds of ranking both sides of triples, as a run does it."""
    began = now()
    rank_triples(module.score_all, triples, module.known, module.metric)
    module.metric.reset()
    return since(began)


def medians(times: np.ndarray) -> dict[str, float]:
    """Of rows of wall and CPU seconds."""
    wall, cpu = np.median(times, axis=0)
    return {"s": float(wall), "cpu_s": float(cpu)}


def now() -> tuple[float, float]:
    """Wall and CPU seconds from some moment on."""
    return time.perf_counter(), time.process_time()


def since(began: tuple[float, float]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = now()
    return wall - began[0], cpu - began[1]


def peak_gb() -> float:
    """Largest resident memory of this process so far, pages of mapped files included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


# --- the page -------------------------------------------------------------------------------------------------------


def updated(page: str) -> str:
    """The page with its tables made anew."""
    return replaced(page, BEGIN, block())


def block() -> str:
    """All tables."""
    return "\n".join((_structure(), _shared(), _features(), _growth(), _limits(), _shards()))


def stored(cell: Cell) -> dict[str, Any]:
    """What was measured."""
    found: dict[str, Any] = json.loads((RESULTS / f"{cell.name}.json").read_text(encoding="utf-8"))
    return found


def _structure() -> str:
    head = ["RotatE", "dim", "entities of a batch", "lazy Adam, s", "Adam, s", "GB"]
    lines = []
    for dim in DIMS:
        for entities in ENTITIES:
            step, adam = stored(lazy("rotate", entities, dim)), dense(entities, dim)
            other = _figure(stored(adam)["cpu_s"]) if (RESULTS / f"{adam.name}.json").is_file() else ""
            cells = [f"{entities:,}", str(dim), f"{step['named']:,}", _figure(step["cpu_s"]), other]
            lines.append([*cells, _figure(step["peak_gb"]), *_ranked_cells(ranking("rotate", entities, dim))])
    return _table([*head, *RANKED], lines)


def _shared() -> str:
    head = ["RotatE, dim 128, 1,024 shared negatives", "entities of a batch", "lazy Adam, s", "GB"]
    steps = {entities: stored(shared(entities)) for entities in ENTITIES}
    lines = [
        [f"{entities:,}", f"{step['named']:,}", _figure(step["cpu_s"]), _figure(step["peak_gb"])]
        for entities, step in steps.items()
    ]
    return _table(head, lines)


def _features() -> str:
    head = [f"AdaMF, dim 128, text of {TEXT}", "lazy Adam, s", "GB", "before ranking, s"]
    lines = []
    for entities in ENTITIES[:3]:
        step, rank = stored(lazy("adamf", entities, 128)), ranking("adamf", entities, 128)
        cells = [f"{entities:,}", *map(_figure, (step["cpu_s"], step["peak_gb"], stored(rank)["prepare_cpu_s"]))]
        lines.append([*cells, *_ranked_cells(rank)])
    return _table([*head, *RANKED], lines)


RANKED = ["query of 2, s", "query of 64, s", "ranking, GB"]


def _ranked_cells(cell: Cell) -> list[str]:
    found = stored(cell)
    return [_figure(found[key]) for key in ("query_cpu_s", "queries_cpu_s", "peak_gb")]


def _growth() -> str:
    lines = []
    for axis, members in growths().items():
        cells, found = [axis, ", ".join(f"{size:,}" for size in members)], [stored(cell) for cell in members.values()]
        for key in ("cpu_s", "peak_gb"):
            costs = [each[key] for each in found]
            cells += [", ".join(map(_figure, costs)), f"{exponent(list(members), costs):.2f}"]
        lines.append(cells)
    return _table(["a step of DHNS by", "at", "s", "exponent", "GB", "exponent"], lines)


def _limits() -> str:
    """How many entities fit, by what a million more took here, and by what the optimizer needs."""
    peaks = [stored(lazy("rotate", entities, 128))["peak_gb"] for entities in ENTITIES[2:]]
    measured = 1e6 * (peaks[1] - peaks[0]) / (ENTITIES[3] - ENTITIES[2])
    tensors = 3 * 4 * 256 / 1e3  # of a million rows: the table and two moments, in fp32
    memories = (24, 141, 512)
    lines = [
        [label, _figure(each), *(f"{memory / each:.0f} M" for memory in memories)]
        for label, each in (
            ("measured, three triples per entity", measured),
            ("table and moments alone", tensors),
            ("these in half precision (not built)", tensors / 2),
        )
    ]
    head = ["RotatE, dim 128, lazy Adam", "GB per million entities", *(f"in {memory} GB" for memory in memories)]
    return _table(head, lines)


def _shards() -> str:
    """What a step took with the table in one process and in two."""
    ways = {
        "one process, lazy Adam": "one_process",
        "two, `DTensor` in row-wise shards, Adam": "dtensor",
        "two, rows exchanged, lazy Adam of each shard": "exchange",
    }
    found = [json.loads((RESULTS / "shards" / f"{way}.json").read_text(encoding="utf-8")) for way in ways.values()]
    lines = [
        [label, _figure(each["cpu_s"]), _figure(each["sent_mb"]), _figure(each["peak_gb"])]
        for label, each in zip(ways, found, strict=True)
    ]
    return _table(["a million rows of 256", "s of a process", "MB sent", "GB of a process"], lines)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Of the power of the size that fits the costs best: 0 where they stay, 1 where they grow with it."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def _table(head: list[str], lines: list[list[str]]) -> str:
    rule = [":---" if column == 0 else "---:" for column in range(len(head))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, rule, *lines))


def _figure(value: float) -> str:
    """Two digits that mean something."""
    if value >= 10 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{float(f'{value:.2g}')}"


def draw() -> None:
    """Seconds of steps and queries by entities."""
    from matplotlib.figure import Figure

    lines = {
        "step, lazy Adam": ("cpu_s", [lazy("rotate", entities, 128) for entities in ENTITIES]),
        "step, Adam": ("cpu_s", [dense(entities, 128) for entities in ENTITIES[:3]]),
        "query of 2": ("query_cpu_s", [ranking("rotate", entities, 128) for entities in ENTITIES]),
        "query of 64": ("queries_cpu_s", [ranking("rotate", entities, 128) for entities in ENTITIES]),
    }
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for label, (key, members) in lines.items():
        axes.plot([cell.entities for cell in members], [stored(cell)[key] for cell in members], "o-", label=label)
    axes.set(xscale="log", yscale="log", xlabel="entities", ylabel="CPU seconds of one thread", title="RotatE, dim 128")
    axes.legend()
    figure.savefig(RESULTS / "sizes.png", dpi=110, metadata={"Software": None})


def main(arguments: Sequence[str]) -> None:
    match arguments:
        case []:
            draw()
            rewrite(PAGE, updated)
        case ["measure", *names]:
            for cell in {cell.name: cell for cell in cells()}.values():
                if cell.name in names or not names:
                    measure(cell)
        case ["cell", settings]:
            with tempfile.TemporaryDirectory() as scratch:
                print(json.dumps(measured(Cell(**json.loads(settings)), Path(scratch))))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
