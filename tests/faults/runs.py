"""Small trainings on the embedded graph, and what must hold of their folders at any moment and at the end."""

import csv
import json
from pathlib import Path

import torch
from safetensors.torch import load_file

from dhns.files import LOCK, PARTIAL
from dhns.results.ranks import FILE_NAME as RANKS
from dhns.results.ranks import read_ranks
from dhns.results.store import FILE_NAME, read_result
from dhns.training.checkpoint import read_checkpoint
from faults.program import start

SMALL = (
    "dataset=world_flags", "scorer.dim=8", "trainer.max_epochs=4", "trainer.accelerator=cpu", "data.batch_size=1024",
    "data.valid_triples=50", "optimization.optimizer.lr=0.02", "run_dir=run",
)  # fmt: skip
SYSTEMS = {
    "dhns": ("model=dhns", "negatives.num_negatives=4", "trainer.check_val_every_n_epoch=1"),
    "nscaching": ("model=rotate", "negatives=nscaching", "trainer.check_val_every_n_epoch=2"),
    "softmax": ("model=complex_n3", "trainer.check_val_every_n_epoch=1"),
    "impatient": (
        "model=distmult", "negatives.num_negatives=4", "trainer.check_val_every_n_epoch=1", "stopping.patience=1",
        "trainer.max_epochs=9", "optimization.optimizer.lr=0.5",
    ),
    "last epoch": ("model=rotate", "negatives.num_negatives=4", "protocol.select=last_epoch"),
}  # fmt: skip
COMPUTED = (
    "config_hash", "seed", "config", "protocol", "fingerprints", "metrics", "baseline", "generated", "parameters",
    "epochs", "batches", "checkpoint",
)  # fmt: skip


def command(system, *overrides):
    return ("train", *SMALL, *SYSTEMS[system], *overrides)


def run(folder, system, *faults, overrides=(), **options):
    """The exit status of a training and what it printed."""
    started = start(folder, command(system, *overrides), *faults, **options)
    return started.wait(), started.printed()


def weights(path):
    return read_checkpoint(path)["state_dict"]


def check_whole(folder):
    """Every file of a run that has a final name can be read, and its numbers are finite."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.name.endswith(PARTIAL) or path.name == LOCK:
            continue
        if path.name == FILE_NAME:
            read_result(path)
        elif path.suffix == ".ckpt":
            assert all(t.isfinite().all() for t in weights(path).values() if t.is_floating_point()), path
        elif path.suffix == ".csv":
            # a log that grows may end in the middle of a row
            rows = list(csv.reader(path.open(encoding="utf-8", newline="")))
            assert len({len(row) for row in rows[:-1]}) <= 1, path
        elif path.suffix == ".safetensors":
            assert load_file(path), path
        elif path.name == RANKS:
            assert read_ranks(path), path
        elif path.suffix == ".png":
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
        else:
            assert path.suffix in (".yaml", ".log"), f"what is {path}?"


def check_same_end(folder, undisturbed):
    """A run that was disturbed has the weights and the result of one that was not, and left nothing else behind."""
    check_whole(folder)
    result, expected = (read_result(place / FILE_NAME) for place in (folder, undisturbed))
    different = [key for key in COMPUTED if result[key] != expected[key]]
    assert not different, f"{', '.join(different)} differ"
    names = sorted(path.name for path in (undisturbed / "checkpoints").iterdir())
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == names
    for name in names:
        found, right = (weights(place / "checkpoints" / name) for place in (folder, undisturbed))
        assert found.keys() == right.keys()
        assert all(torch.equal(found[key], right[key]) for key in right), name
    assert not [path for path in folder.rglob("*") if path.name.endswith(PARTIAL)]


def check_restarts(folder, system, undisturbed, **options):
    """The same command ends well, and as if nothing had happened."""
    status, printed = run(folder, system, **options)
    assert status == 0, printed
    check_same_end(folder / "run", undisturbed)


def check_clear_error(status, printed, *words):
    """One line that says what is wrong."""
    lines = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert status == 2, (status, printed)
    assert len(lines) == 1, printed
    assert "Traceback" not in printed, printed
    assert "Logging error" not in printed, printed
    for word in words:
        assert word in lines[0], lines[0]


def counts(path: Path) -> dict[str, int]:
    return json.loads(path.read_text())
