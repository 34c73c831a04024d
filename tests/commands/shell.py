"""A tiny graph in files, and the program run on it as from a shell, in this process."""

import contextlib
import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
import torch
from hydra.core.global_hydra import GlobalHydra
from safetensors.torch import save_file

from dhns import cli

ENTITIES = 12
LABELS = [f"Entity {index}" for index in range(ENTITIES)]
LABELS[3] = "Trinidad, and [Tobago]"
LABELS[4] = "it's {x: 1} = (y)"
LABELS[5] = '"Weird Al" Yankovic'
LABELS[6] = "back\\slash\\"
LABELS[7] = "cash ${dollars}"
LABELS[8] = "Entity 8: a, b\\'c"
RELATIONS = ["next", "previous", "kind of"]
RING = [(i, 0, (i + 1) % ENTITIES) for i in range(ENTITIES)]
BACK = [(i, 1, i - 1) for i in (3, 4, 6, 7)]
KINDS = [(i, 2, i % 2) for i in range(2, 10)]
SPLITS = {
    "train": RING[:10] + BACK[:2] + KINDS[:6],
    "valid": [RING[10], BACK[2], KINDS[6]],
    "test": [RING[11], BACK[3], KINDS[7]],
}
DATA = ("dataset=tsv", "dataset.folder=graph", "dataset.name=mine")
MODALITIES = ("+dataset.modalities.textual=text.npy", "+dataset.modalities.visual=image.safetensors")
SMALL = (
    "scorer.dim=4",
    "negatives.num_negatives=4",
    "data.batch_size=8",
    "trainer.max_epochs=2",
    "trainer.check_val_every_n_epoch=1",
    "trainer.accelerator=cpu",
    "optimization.optimizer.lr=0.02",
)
TRAIN = ("train", *DATA, *MODALITIES, *SMALL)


class Ended(NamedTuple):
    """How the program ended."""

    code: int
    out: str
    err: str


def program(folder, *arguments, **environment):
    """Run ``dhns`` in a folder with arguments and environment variables."""
    out, err = io.StringIO(), io.StringIO()
    root, before, threads = logging.getLogger(), Path.cwd(), torch.get_num_threads()
    handlers, level = list(root.handlers), root.level
    GlobalHydra.instance().clear()
    os.chdir(folder)
    torch.set_num_threads(1)  # the last bits of numbers depend on how many there are
    code = 0
    try:
        with (
            mock.patch.dict(os.environ, environment),
            mock.patch.object(sys, "argv", ["dhns", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            warnings.catch_warnings(),
        ):
            # as Python shows them outside tests: a warning is a line that a user sees
            warnings.resetwarnings()
            for quiet in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
                warnings.simplefilter("ignore", quiet)
            warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
            cli.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        os.chdir(before)
        torch.set_num_threads(threads)
        root.handlers[:], root.level = handlers, level
    return Ended(code, out.getvalue(), err.getvalue())


def succeed(folder, *arguments, **environment):
    """As `program`, but it must end well; its standard output."""
    ended = program(folder, *arguments, **environment)
    assert ended.code == 0, ended.err
    return ended.out


def refused(folder, *arguments):
    """Run the program on bad input; its only line of error."""
    ended = program(folder, *arguments)
    lines = ended.err.splitlines()
    assert ended.code == 2, ended
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("error: ")
    assert "Traceback" not in ended.out
    return lines[0]


def write_graph(folder, splits=None):
    """The tiny graph as TSV files with two modalities; returns its folder."""
    folder.mkdir()
    for split, triples in (splits or SPLITS).items():
        rows = "".join(f"e{head}\t{RELATIONS[relation]}\te{tail}\n" for head, relation, tail in triples)
        (folder / f"{split}.tsv").write_text(rows, encoding="utf-8")
    rows = "".join(f"e{index}\t{label}\n" for index, label in enumerate(LABELS))
    (folder / "entities.tsv").write_text(f"key\tlabel\n{rows}", encoding="utf-8")
    random = np.random.default_rng(0)
    np.save(folder / "text.npy", random.normal(size=(ENTITIES, 4)).astype(np.float32))
    index = torch.arange(0, ENTITIES, 2)
    images = torch.from_numpy(random.normal(size=(len(index), 5)).astype(np.float32))
    save_file({"features": images, "index": index}, folder / "image.safetensors")
    return folder


def results(folder):
    """The result files under a folder, by path."""
    return {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("result.json"))}


def only_result(folder):
    (item,) = results(folder).items()
    return item
