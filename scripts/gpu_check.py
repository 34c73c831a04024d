"""What can only be known on a GPU, by one command: `make gpu-check`. Small, it runs on a processor too.

Each section is run by itself, so that one that fails does not stop the others. Written are ``gpu_check.json`` and a
table, ``gpu_check.md``, in the folder that ``--out`` names. On one GPU it is meant to take less than eight minutes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from torch.utils._python_dispatch import TorchDispatchMode

from dhns.config.resolvers import register_resolvers
from dhns.data.datamodule import TripleDataModule
from dhns.errors import InputError
from dhns.graph.load import load_graph
from dhns.graph.queries import Queries
from dhns.kernels import pairs, triton_pairs
from dhns.models.batch import embed_queries, score_negatives
from dhns.negatives.uniform import UniformSampler
from dhns.resources import conf_dir
from dhns.results.store import versions
from dhns.training.build import build_module
from dhns.training.quiet import quiet_lightning

ROOT = Path(__file__).resolve().parents[1]
MODELS = tuple(sorted(path.stem for path in (conf_dir() / "model").glob("*.yaml")))
WAITING = ("ote", "gc_ote", "tucker", "tucker_n3", "mans", "mmrns")
"""Models that wait for the device by design: `tests/training/test_device_waits.py`."""
PRECISIONS = {
    "fp32": (),
    "TF32": ("acceleration.matmul_precision=high",),
    "bf16": ("trainer.precision=bf16-mixed",),
}
SYSTEMS = {
    "RotatE": ("model=rotate", "scorer.dim=512", "negatives.num_negatives=64", "data.batch_size=2000"),
    "ComplEx-N3": ("model=complex_n3", "scorer.dim=256", "data.batch_size=1000"),
    "RotatE+DHNS": ("model=dhns", "scorer.dim=512", "negatives.num_negatives=64", "data.batch_size=2000"),
}
"""At the sizes of the paper."""


class Check:
    """Where and how large.

    Args:
        small: for a processor: the embedded graph, small models, a step or two.
        out: folder of what is written.
    """

    def __init__(self, small: bool, out: Path) -> None:
        self.small, self.out = small, out
        available = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self.device = available or torch.device("cpu")
        self.steps = 2 if small else 10

    @property
    def dataset(self) -> tuple[str, ...]:
        """MKG-W with features of labels where its files are; else the embedded graph."""
        folder = Path(os.environ.get("DHNS_DATA") or ROOT / "data") / "MKG-W"
        return ("dataset=mkg_w", "features=label") if folder.is_dir() and not self.small else ("dataset=world_flags",)

    def config(self, *overrides: str) -> DictConfig:
        """Of a training."""
        size = ("scorer.dim=8", "data.batch_size=256") if self.small else ()
        with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
            config = compose("train", overrides=[*self.dataset, *overrides, *size])
        if "_target_" not in config.negatives:
            config.negatives = {}
        return config

    def module(self, config: DictConfig) -> Any:
        """On the processor."""
        settings: Any = OmegaConf.to_container(config, resolve=False)
        return build_module(settings, load_graph(config))

    def fit(self, config: DictConfig, callback: pl.Callback, batches: int) -> None:
        """Train for some batches, without validation and files."""
        module = self.module(config)
        trainer = pl.Trainer(
            accelerator="auto",
            devices=1,
            precision=config.trainer.precision,
            deterministic=config.trainer.deterministic,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            max_epochs=1,
            limit_train_batches=batches,
            limit_val_batches=0,
            callbacks=[callback],
            use_distributed_sampler=False,
            default_root_dir=self.out,
        )
        by_query = module.sampler is None
        trainer.fit(module, TripleDataModule(module.graph, config.data.batch_size, 0, by_query=by_query))


class Launches(TorchDispatchMode):
    """Counts operations; each is about one kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return function(*args, **(kwargs or {}))


class Watch(pl.Callback):
    """Seconds of the steps after the first, the operations of one of them, peak memory."""

    def __init__(self) -> None:
        self.begun, self.seconds, self.steps, self.batches = 0.0, 0.0, 0, 0
        self.launches, self.memory = Launches(), 0.0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.batches = len(trainer.datamodule.train_dataloader())
        if batch_idx == 1:
            self.launches.__enter__()
        if batch_idx == 2:
            synchronize()
            self.begun = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == 1:
            self.launches.__exit__(None, None, None)
        self.steps = batch_idx + 1

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        synchronize()
        self.seconds = (time.perf_counter() - self.begun) / max(1, self.steps - 2)
        if pl_module.device.type != "cpu":
            self.memory = torch.get_device_module().max_memory_allocated() / 2**30


class Strict(pl.Callback):
    """Makes every wait of the steps after the first an error, where the device can."""

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx:
            waits_are("error")

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        waits_are("default")


def waits_are(mode: str) -> None:
    """What a wait for the device is: an ``error``, or nothing, by ``default``."""
    set_mode = getattr(torch.get_device_module(), "set_sync_debug_mode", None)
    if torch.accelerator.is_available() and set_mode is not None:
        set_mode(mode)


def synchronize() -> None:
    """Until the device has done all that it was told."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


@contextlib.contextmanager
def chunked() -> Iterator[None]:
    """Within, distances are chunks of torch, whatever kernel is there."""
    with mock.patch.object(pairs, "WAYS", pairs.WAYS[-1:]):
        yield


def machine(check: Check) -> dict[str, Any]:
    """Versions and device."""
    name = platform.processor() or platform.machine()
    if check.device.type != "cpu":
        name = str(getattr(torch.get_device_module(), "get_device_name", lambda: check.device.type)())
    probe = torch.zeros(1, 2, device=check.device)
    return {"device": check.device.type, "name": name, "triton kernels": triton_pairs.usable(probe)} | versions()


def tests(check: Check) -> dict[str, Any]:
    """Those that need a GPU, or the kernels interpreted."""
    environment = os.environ | ({"TRITON_INTERPRET": "1"} if check.small else {})
    command = [sys.executable, "-m", "pytest", "tests/kernels", "-q", "-p", "no:cacheprovider"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False)
    return {"status": ended.returncode, "end": ended.stdout.strip().splitlines()[-1:]}


def waits(check: Check) -> dict[str, str]:
    """A step of every model in which a wait for the device is an error."""
    found = {}
    chosen = MODELS[::9] if check.small else MODELS
    with mock.patch("dhns.models.kge_model.NEARLY_ALL", 0):  # else a batch of few entities waits for their number
        for model in chosen:
            try:
                config = check.config(f"model={model}", "dataset=world_flags", "++data.batch_size=256")
                check.fit(config, Strict(), 3)
                found[model] = "a step; a processor has no waits" if check.device.type == "cpu" else "no wait"
            except InputError as error:  # a model that the graph has no modality for
                found[model] = f"not run: {error}"
            except RuntimeError as error:
                known = " (as known)" if model in WAITING else ""
                found[model] = f"waits{known}: {str(error).splitlines()[0]}"
            finally:
                waits_are("default")
    return found


def losses(check: Check) -> dict[str, dict[str, float]]:
    """Of one batch with the same negatives, on the processor and on the device."""
    found: dict[str, dict[str, float]] = {}
    for model in ("rotate", "transe", "distmult", "complex_n3", "pairre", "tucker_n3"):
        config = check.config(f"model={model}", "dataset=world_flags", "++scorer.dim=64")
        module = check.module(config)
        triples = module.graph.train[:256]
        negatives = UniformSampler(module.graph, sides="random")(triples, 0, torch.Generator(), module.model)
        found[model] = {}
        for device in dict.fromkeys((torch.device("cpu"), check.device)):
            module.to(device)
            batch, drawn = (
                triples.to(device),
                negatives._replace(
                    queries=Queries(*(part.to(device) for part in negatives.queries)),
                    entity=negatives.entity.to(device),
                ),
            )
            if module.sampler is None:
                embedded, queries = embed_queries(module.model, batch, drawn.head_side)
                terms = module.kgc_loss.terms(module.model.scorer, queries, embedded.encoded.joint)
            else:
                scored = score_negatives(module.model, batch, drawn)
                terms = module.kgc_loss.terms(scored.positive, scored.negative)
            sum(terms).backward()
            slope = module.model.encoder.structure.grad.norm()
            found[model] |= {f"{device.type} loss": float(sum(terms)), f"{device.type} gradient": float(slope)}
            module.zero_grad()
    return found


def speeds(check: Check) -> dict[str, dict[str, Any]]:
    """Seconds per step and epoch, operations, peak memory, by system, precision and way of the distances."""
    found = {}
    for system, overrides in SYSTEMS.items():
        for precision, more in PRECISIONS.items():
            for way, context in {"kernel": contextlib.nullcontext, "chunked": chunked}.items():
                if way == "chunked" and (system == "ComplEx-N3" or precision == "TF32"):
                    continue  # it has no distances; and they are never TF32
                if check.device.type != "cpu":
                    torch.get_device_module().empty_cache()
                    torch.get_device_module().reset_peak_memory_stats()
                watch = Watch()
                with context():
                    check.fit(check.config(*overrides, *more), watch, check.steps + 2)
                found[f"{system}, {precision}, {way}"] = {
                    "s a step": round(watch.seconds, 5),
                    "s an epoch": round(watch.seconds * watch.batches, 3),
                    "operations a step": watch.launches.count,
                    "peak GiB": round(watch.memory, 3),
                }
    return found


def training(check: Check) -> dict[str, Any]:
    """DHNS from the command line to a result file."""
    size = ("scorer.dim=8", "data.batch_size=1024", "trainer.max_epochs=2") if check.small else ()
    budget = ("budget=smoke", "trainer.check_val_every_n_epoch=1") if check.small else ("budget=short",)
    folder = check.out / "dhns"
    command = [sys.executable, "-m", "dhns", "train", "model=dhns", "download=false", *check.dataset, *budget, *size]
    command += ["progress=false", "force=true", f"run_dir={folder}"]
    ended = subprocess.run(command, cwd=check.out, capture_output=True, text=True, timeout=420, check=False)
    if ended.returncode:
        raise RuntimeError(ended.stderr.strip()[-500:])
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    shown = {key: result[key] for key in ("dataset", "device", "epochs", "peak_memory_mib")}
    return shown | result["time"] | {"test MRR": result["metrics"]["test"]["mrr"]}


SECTIONS: dict[str, Callable[[Check], dict[str, Any]]] = {
    function.__name__: function for function in (machine, tests, waits, losses, speeds, training)
}


def main() -> None:
    """Run all sections."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="small sizes, for a processor; so without a GPU in any case"
    )
    parser.add_argument("--out", type=Path, default=Path("outputs/gpu_check"))
    parser.add_argument("--only", choices=SECTIONS, action="append", help="a section; all if left out")
    options = parser.parse_args()
    register_resolvers()
    quiet_lightning()
    warnings.filterwarnings("ignore")
    options.out.mkdir(parents=True, exist_ok=True)
    check = Check(options.small or not torch.accelerator.is_available(), options.out.resolve())
    report: dict[str, Any] = {"small": check.small}
    for name, section in SECTIONS.items():
        if options.only and name not in options.only:
            continue
        print(f"{name} ...", flush=True)
        begun = time.perf_counter()
        try:
            report[name] = section(check)
        except Exception as error:
            traceback.print_exc()
            report[name] = {"failed": f"{type(error).__name__}: {error}"}
        report[name]["seconds"] = round(time.perf_counter() - begun, 1)
        (check.out / "gpu_check.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    table = "\n".join(rows(report)) + "\n"
    (check.out / "gpu_check.md").write_text(table, encoding="utf-8")
    print(f"\n{table}\nwritten: {options.out}/gpu_check.json, {options.out}/gpu_check.md")
    sys.exit(any("failed" in part or part.get("status") for part in report.values() if isinstance(part, dict)))


def rows(report: dict[str, Any]) -> Iterator[str]:
    """The report as a Markdown table."""
    yield "| section | what | found |"
    yield "|---|---|---|"
    for section, part in report.items():
        for what, value in part.items() if isinstance(part, dict) else (("", part),):
            shown = ", ".join(f"{k} {v:g}" for k, v in value.items()) if isinstance(value, dict) else value
            yield f"| {section} | {what} | {shown} |"


if __name__ == "__main__":
    main()
