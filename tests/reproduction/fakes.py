"""Runs that take no training: a small program in the place of ``dhns train``, and what it stores."""

import json
import sys
from pathlib import Path

from omegaconf import OmegaConf

from dhns.experiments.reproduction.cells import Cell, Run

# says that it started; waits for a file `go` if its folder holds `wait`; fails if it holds `fail`
TRAINING = """
import json, os, pathlib, sys, time
folder, mrr = pathlib.Path(sys.argv[1]), float(sys.argv[2])
with (folder / "starts").open("a") as file:
    print(os.getpid(), file=file)
while (folder / "wait").exists() and not (folder.parents[1] / "go").exists():
    time.sleep(0.02)
if (folder / "fail").exists():
    print("warming up")
    sys.exit((folder / "fail").read_text())
temporary = folder / "partial"
temporary.write_text(sys.argv[3])
temporary.rename(folder / "result.json")
"""


def result(mrr, seed=0, config_hash="0000aaaa", **changes):
    """A result file's content, as far as tables read it; all metrics are multiples of the MRR."""
    return {
        "version": 1,
        "seed": seed,
        "config_hash": config_hash,
        "metrics": {"test": {"mrr": mrr, "hits@1": mrr / 2, "hits@3": mrr, "hits@10": 2 * mrr}},
        "baseline": {"test": {"mrr": 0.01, "hits@1": 0.0, "hits@3": 0.01, "hits@10": 0.02}},
        "fingerprints": {"train": "ab" * 32, "test": "cd" * 32, "modality/textual": "ef" * 32},
        "config": {"dataset": {"modalities": {"textual": "text.safetensors", "visual": None}}},
        "protocol": {"name": "clean", "notes": []},
        "versions": {"dhns": "0.1.0", "torch": "2.13.0", "python": "3.11.7"},
    } | changes


def run(outputs, name, seed=0):
    return Run(
        ("dataset=toy", f"model={name}"), seed, ("budget=short",), Path(outputs) / name / f"seed-{seed}", "0000aaaa"
    )


def cell(outputs, name, group="Unimodal", published=None, seeds=(0,), dataset="Toy"):
    runs = tuple(run(outputs, f"{dataset}-{name}" if dataset != "Toy" else name, seed) for seed in seeds)
    return Cell(group, name, dataset, published or {}, runs, name)


def store(of, mrr, **changes):
    """Give a run a result; changes are of its top-level keys."""
    of.folder.mkdir(parents=True, exist_ok=True)
    of.result_file.write_text(json.dumps(result(mrr, **({"seed": of.seed} | changes))), encoding="utf-8")


def training(of):
    """The command of the small program; its MRR is that of its name and seed."""
    mrr = (len(of.choices[-1]) + of.seed) / 100
    return [sys.executable, "-c", TRAINING, str(of.folder), str(mrr), json.dumps(result(mrr, of.seed))]


def told(of, name, text=""):
    """Put a file into the folder of a run that tells the small program what to do."""
    of.folder.mkdir(parents=True, exist_ok=True)
    (of.folder / name).write_text(text)


def starts(of):
    """The processes that have started on a run."""
    path = of.folder / "starts"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def settings(outputs, **changes):
    """What a table needs of conf/reproduce.yaml."""
    table = {"number": 2, "title": "Systems", "metrics": ["mrr", "hits@1"]}
    content = {"table": table, "protocol": {"name": "clean"}, "budget": "full", "seeds": [0]}
    content |= {"against": "complex_n3", "level": 0.95}
    return OmegaConf.create(content | {"paths": {"outputs": str(outputs)}} | changes)
