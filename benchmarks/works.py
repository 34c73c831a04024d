"""The works that are measured, by name: ``make bench WORK=rotate_mkg_y``.

The first side of a work is the project as it ships. `VARIANTS` are further sides, each the same work with one
optimisation off or another one on: a label, the overrides that do it, and variables of the process where it is those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.driver import Quoted, Side, Work
from benchmarks.graphs import DB15K, LARGE, MKG_Y, SMALL, Benchmark, Graphs


@dataclass(frozen=True)
class Variant:
    """The project with an optimisation off, or with one that it ships without."""

    label: str
    overrides: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)


NOT_FUSED = Variant("optimizer not fused", ["optimization.optimizer.fused=false"])
NO_KERNEL = Variant("kernel in plain torch", environment={"CC": "false"})
MEMORY_RETURNED = Variant("freed memory returned", environment={"BENCH_KEEP_MEMORY": "0"})
COMPILED_TORCH = Variant("kernel in compiled torch", ["acceleration.compile=true"], {"CC": "false"})
COMPILED = Variant("compiled denoiser", ["acceleration.compile=true"])
FP32 = Variant("fp32 products", ["trainer.precision=32-true"])
VARIANTS: dict[str, list[Variant]] = {
    "rotate_mkg_y": [NO_KERNEL, COMPILED_TORCH, MEMORY_RETURNED, NOT_FUSED],
    "rotate_db15k": [NO_KERNEL, COMPILED_TORCH, MEMORY_RETURNED, NOT_FUSED],
    "complex_mkg_y": [FP32, MEMORY_RETURNED, NOT_FUSED],
    "rank_complex": [MEMORY_RETURNED],
    "rank_rotate": [NO_KERNEL],
    "dhns_mkg_y": [FP32, COMPILED, MEMORY_RETURNED],
    "dhns_db15k": [FP32, COMPILED],
}

TRAIN, RANK = "benchmarks.sides.project:train", "benchmarks.sides.project:rank"
PYKEEN = "benchmarks.sides.peer_pykeen"
DENSE = "benchmarks.sides.dense"
KERNELS = "benchmarks.sides.kernels"
FLOORS = "benchmarks.sides.floors"
EMBEDDED = Path(__file__).resolve().parents[1] / "data" / "world_flags"
NO_FEATURES = "dataset.modalities.textual=null"
NOTES = "this project's research notes, 2 cores of an AMD EPYC (Zen 5), torch 2.13"


def rotate_mkg_y(graphs: Graphs) -> Work:
    """The paper's sizes on MKG-Y."""
    return _rotate("rotate_mkg_y", graphs, MKG_Y, dim=512, batch_size=2000, negatives=64, steps=2)


def rotate_db15k(graphs: Graphs) -> Work:
    """The paper's sizes on DB15K."""
    return _rotate("rotate_db15k", graphs, DB15K, dim=250, batch_size=1024, negatives=128, steps=3)


def _rotate(
    name: str, graphs: Graphs, benchmark: Benchmark, dim: int, batch_size: int, negatives: int, steps: int
) -> Work:
    folder = graphs.folder(benchmark)
    overrides = ["model=rotate", f"dataset={benchmark.config}", NO_FEATURES, f"scorer.dim={dim}"]
    overrides += [f"data.batch_size={batch_size}", f"negatives.num_negatives={negatives}"]
    job = {"overrides": overrides, "counted": "positives", "steps": steps}
    sizes = {"dim": dim, "batch_size": batch_size, "negatives": negatives, "steps": steps}
    peer = Side("PyKEEN sLCWA", f"{PYKEEN}:train_rotate", sizes, folder, peer=True, remark="negatives not filtered")
    return Work(
        f"RotatE training: dim {dim}, batch {batch_size}, {negatives} negatives per triple, self-adversarial, Adam",
        "positives/s",
        [*_project(name, TRAIN, job, folder), peer],
        graphs.describe(benchmark),
        baseline=peer.label,
    )


def complex_mkg_y(graphs: Graphs) -> Work:
    """The strong baseline, an epoch of it."""
    folder = graphs.folder(MKG_Y)
    overrides = ["experiment=tuned", "dataset=mkg_y", "model=complex_n3", NO_FEATURES, "scorer.dim=256"]
    overrides += ["data.batch_size=1000"]
    sizes = {"dim": 256, "batch_size": 1000}
    dense = Side("dense torch, as kbc", f"{DENSE}:train", sizes | {"steps": 10}, folder, remark="scaled from 10 steps")
    pykeen = Side(
        "PyKEEN LCWA",
        f"{PYKEEN}:train_complex",
        sizes | {"steps": 5},
        folder,
        peer=True,
        remark="scaled from 5 steps; L2 in place of N3, its default",
    )
    return Work(
        "ComplEx training, an epoch: rank 256, softmax over all entities, both directions, N3, batch 1000, Adagrad",
        "s",
        [*_project("complex_mkg_y", TRAIN, {"overrides": overrides, "counted": "epochs"}, folder), dense, pykeen],
        graphs.describe(MKG_Y),
        baseline=dense.label,
    )


def rank_complex(graphs: Graphs) -> Work:
    """Ranking by inner products."""
    folder = graphs.folder(MKG_Y)
    job = {"overrides": ["model=complex_n3", "dataset=mkg_y", NO_FEATURES, "scorer.dim=256"]}
    remark = "counts no ties, checks no scores"
    dense = Side("dense torch, as kbc", f"{DENSE}:rank", {"dim": 256, "batch_size": 500}, folder, remark=remark)
    return Work(
        "filtered ranking of the test split, both sides: ComplEx rank 256",
        "s",
        [*_project("rank_complex", RANK, job, folder), dense, _pykeen_ranking("complex", 256, 256, folder)],
        graphs.describe(MKG_Y),
        baseline=dense.label,
        repeats=5,
    )


def rank_rotate(graphs: Graphs) -> Work:
    """Ranking by distances."""
    folder = graphs.folder(MKG_Y)
    job = {"overrides": ["model=rotate", "dataset=mkg_y", NO_FEATURES, "scorer.dim=512"]}
    peer = _pykeen_ranking("rotate", 512, 64, folder)
    return Work(
        "filtered ranking of the test split, both sides: RotatE dim 512",
        "s",
        [*_project("rank_rotate", RANK, job, folder), peer],
        graphs.describe(MKG_Y),
        baseline=peer.label,
    )


def _pykeen_ranking(model: str, dim: int, triples: int, folder: Path) -> Side:
    job = {"model": model, "dim": dim, "triples": triples}
    remark = f"batches of 32; scaled from {triples} triples"
    return Side("PyKEEN RankBasedEvaluator", f"{PYKEEN}:rank", job, folder, peer=True, remark=remark)


def dhns_mkg_y(graphs: Graphs) -> Work:
    """The whole method at the paper's sizes on MKG-Y."""
    reference = Quoted("reference code", 166.0, f"{NOTES}; peak 11.4 GB")
    return _dhns("dhns_mkg_y", graphs, MKG_Y, reference, dim=512, batch_size=2000, negatives=64)


def dhns_db15k(graphs: Graphs) -> Work:
    """The whole method at the paper's sizes on DB15K."""
    reference = Quoted("reference code", 60.0, f"{NOTES}; peak 8.6 GB")
    return _dhns("dhns_db15k", graphs, DB15K, reference, dim=250, batch_size=1024, negatives=128)


def _dhns(
    name: str, graphs: Graphs, benchmark: Benchmark, reference: Quoted, dim: int, batch_size: int, negatives: int
) -> Work:
    """Structure, and random features of the official widths, on which the reference was measured."""
    folder = graphs.folder_with_features(benchmark)
    overrides = ["model=dhns", "generator=reference", f"dataset={benchmark.config}", f"scorer.dim={dim}"]
    overrides += [f"data.batch_size={batch_size}", f"negatives.num_negatives={negatives}"]
    overrides += ["dataset.modalities.textual=textual.npy", "+dataset.modalities.visual=visual.npy"]
    overrides += ["trainer.precision=bf16-mixed"]
    strided = ["generator.model.sampling_steps=8", "generator.model.head_chain=own"]

    def side(label: str, extra: Sequence[str] = (), remark: str = "") -> Side:
        job = {"overrides": [*overrides, *extra], "counted": "steps", "steps": 1}
        return Side(label, TRAIN, job, folder, remark=remark)

    return Work(
        f"DHNS training, a step: RotatE dim {dim}, batch {batch_size}, {negatives} negatives, three views, T = 50",
        "s",
        [
            side("dhns, generator=reference", remark="every step of the chain, all rows"),
            side("dhns, chain in int8", ["generator.model.int8=true"], "every step of the chain, all rows"),
            *_variants(name, TRAIN, {"overrides": overrides, "counted": "steps", "steps": 1}, folder),
            side("dhns, strided", strided, "8 steps of the chain"),
            side("dhns, strided, needed rows", [*strided, "generator.model.rows=256"], "8 steps, 256 positives"),
            side("dhns, generator=default", ["generator=default"], "8 steps, 256 positives, smaller denoiser"),
        ],
        graphs.describe(benchmark) + ", random features",
        baseline=reference.label,
        quoted=[reference],
    )


def generators_demo(_: Graphs) -> Work:
    """What generators of negatives cost on the embedded graph, with the settings of the demo."""
    return _generators("the demo", EMBEDDED, ["dataset=world_flags", "experiment=demo"], "world_flags")


def generators_mkg_y(graphs: Graphs) -> Work:
    """What they cost on MKG-Y, at half of the paper's widths."""
    overrides = ["dataset=mkg_y", "scorer.dim=256", "data.batch_size=2000"]
    overrides += ["dataset.modalities.textual=textual.npy", "+dataset.modalities.visual=visual.npy"]
    data = graphs.describe(MKG_Y) + ", random features"
    return _generators("RotatE dim 256, batch 2000", graphs.folder_with_features(MKG_Y), overrides, data)


def _generators(what: str, folder: Path, overrides: Sequence[str], data: str) -> Work:
    """Whole epochs, as the generator does not work in each batch."""

    def side(generator: str, *extra: str, remark: str = "") -> Side:
        chosen = ["model=dhns", f"generator={generator}", *overrides, *extra]
        job = {"overrides": chosen, "counted": "epochs"}
        label = " ".join([f"generator={generator}", *(setting.removeprefix("generator.") for setting in extra)])
        return Side(label, TRAIN, job, folder, environment={"OMP_NUM_THREADS": "1"}, remark=remark)

    sides = [
        side("none"),
        side("default"),
        side("default", "generator.every=4"),
        side("default", "generator.model.sampling_steps=1"),
        side("default", "generator.model.denoiser.hidden_factor=1"),
        side("frugal", remark="all three"),
    ]
    title = f"an epoch of DHNS by its generator, one thread: {what}"
    return Work(title, "CPU s", sides, data, baseline=sides[0].label, repeats=5)


def scale(graphs: Graphs) -> Work:
    """A graph with a hundred times the entities, trained with lazy and with dense Adam."""
    folders = {"10 thousand": graphs.folder(SMALL), "1 million": graphs.folder(LARGE)}
    overrides = ["model=rotate", "dataset=mkg_y", NO_FEATURES, "scorer.dim=64"]
    overrides += ["data.batch_size=256", "negatives.num_negatives=16"]
    sides = [
        Side(
            f"{entities} entities, {optimization}",
            TRAIN,
            {"overrides": [*overrides, f"optimization={optimization}"], "counted": "steps", "steps": 20},
            folder,
        )
        for optimization in ("lazy_adam", "adam")
        for entities, folder in folders.items()
    ]
    title = "a step of RotatE dim 64, batch 256, 16 negatives, by number of entities"
    return Work(title, "s", sides, "synthetic graphs of 200 thousand triples", baseline=sides[0].label)


def start_up(_: Graphs) -> Work:
    """How long people wait for an answer that needs no training."""

    def side(label: str, arguments: list[str], status: int = 0) -> Side:
        return Side(label, "benchmarks.sides.commands:run", {"arguments": arguments, "status": status})

    sides = [
        side("dhns --help", ["--help"]),
        side("dhns train --cfg job", ["train", "--cfg", "job"]),
        side("no such option: dhns train scorer=rotat", ["train", "scorer=rotat"], status=2),
        side("no such key: dhns train scorer.dims=8", ["train", "scorer.dims=8"], status=2),
        side("wrong kind of value: dhns train scorer.dim=x", ["train", "scorer.dim=x"], status=2),
    ]
    return Work("start-up, a new process each time", "s", sides, repeats=5)


def matrix_rate(_: Graphs) -> Work:
    """What products of matrices reach here."""

    def side(dtype: str, rows: int, inner: int, columns: int, calls: int) -> Side:
        job = {"rows": rows, "inner": inner, "columns": columns, "dtype": dtype, "calls": calls}
        return Side(f"{dtype} {rows} x {inner} x {columns}", f"{FLOORS}:matrix_product", job)

    sizes = ((4096, 4096, 4096, 1), (1000, 512, 15000, 5))
    sides = [side(dtype, *size) for dtype in ("float32", "bfloat16") for size in sizes]
    return Work("floor: matrix products", "GFLOP/s", sides, repeats=5)


def bandwidth(_: Graphs) -> Work:
    """What moving bytes reaches here."""
    side = Side("copy of 256 MiB", f"{FLOORS}:copy", {"calls": 4})
    return Work("floor: bytes read and written", "GB/s", [side], repeats=5)


def kernel_scoring(_: Graphs) -> Work:
    """Distances to sampled negatives, with gradients."""
    sizes = {"entities": 15000, "dim": 128, "batch": 512, "negatives": 64}
    title = "RotatE, 512 x 64 negatives of 15000 entities, dim 128, forward and backward"
    return _kernel(title, f"{KERNELS}:scoring", "gather, then plain formula", sizes)


def kernel_ranking(_: Graphs) -> Work:
    """Distances to all entities."""
    sizes = {"entities": 15000, "dim": 128, "queries": 32}
    return _kernel("RotatE, 32 queries x 15000 entities, dim 128", f"{KERNELS}:ranking", "plain formula", sizes)


def _kernel(title: str, target: str, plain: str, sizes: dict[str, int]) -> Work:
    sides = [Side("dhns", target, {"way": "project"} | sizes), Side(plain, target, {"way": "plain"} | sizes)]
    return Work(f"kernel: {title}", "s", sides, baseline=plain, repeats=5)


def kernel_generation(_: Graphs) -> Work:
    """Chains of the default generator's kind."""
    sizes = {"dim": 128, "positives": 256}
    sides = [
        Side("dhns, 8 strided steps", f"{KERNELS}:generation", sizes | {"sampling_steps": 8}),
        Side("dhns, full chain of 50 steps", f"{KERNELS}:generation", sizes | {"sampling_steps": None}),
    ]
    title = "kernel: DiffHEG negatives for 256 positives, dim 128"
    return Work(title, "s", sides, baseline=sides[-1].label, repeats=5)


def _project(name: str, target: str, job: dict[str, Any], folder: Path) -> list[Side]:
    """The project as it ships, and its variants."""
    return [Side("dhns", target, job, folder), *_variants(name, target, job, folder)]


def _variants(name: str, target: str, job: dict[str, Any], folder: Path) -> list[Side]:
    return [
        Side(
            f"dhns, {variant.label}",
            target,
            job | {"overrides": [*job["overrides"], *variant.overrides]},
            folder,
            environment=variant.environment,
        )
        for variant in VARIANTS[name]
    ]


WORKS: dict[str, Callable[[Graphs], Work]] = {
    work.__name__: work
    for work in (
        *(matrix_rate, bandwidth, start_up),
        *(rotate_mkg_y, rotate_db15k, complex_mkg_y, rank_complex, rank_rotate),
        *(dhns_mkg_y, dhns_db15k, generators_demo, generators_mkg_y, scale),
        *(kernel_scoring, kernel_ranking, kernel_generation),
    )
}
