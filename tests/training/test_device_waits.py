"""A training step asks a device for no value, so that the program runs ahead of it.

No GPU is needed: a wait is an operation whose result has a shape, or is a number, that only the device knows, or one
that sends numbers of the program there (`lift_fresh`). Besides the code here only optimizers may have them, whose
variants for GPUs have none. Nor does a gradient go through `index_put_`, which a GPU sorts for.
"""

import traceback
from collections import Counter
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import dhns
from dhns.kernels import c_pairs

WAITING = {
    "lift_fresh",
    "_local_scalar_dense",
    "nonzero",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "masked_select",
    "equal",
}
PACKAGE = Path(dhns.__file__).parent


class Waits(TorchDispatchMode):
    """Counts waits by the function of the project that called last."""

    def __init__(self):
        super().__init__()
        self.found = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        sums = name in ("index_put_", "_index_put_impl_", "index_put") and True in args[3:]
        if name in WAITING or masks or (sums and args[0].is_floating_point()):
            stack = [frame for frame in traceback.extract_stack() if Path(frame.filename) != Path(__file__)]
            if not any("torch/optim" in frame.filename for frame in stack):
                own = [frame for frame in stack if PACKAGE in Path(frame.filename).parents]
                self.found[f"{own[-1].name}: {'gradient' if sums else name}"] += 1
        return function(*args, **(kwargs or {}))


class WatchSteps(pl.Callback):
    """Watches all steps but the first of an epoch, which measures the hardness levels."""

    def __init__(self):
        self.waits, self.steps = Waits(), 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx:
            self.waits.__enter__()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if batch_idx:
            self.waits.__exit__(None, None, None)
            self.steps += 1


@pytest.fixture
def waits(fit, make_module, monkeypatch):
    """The waits of two steps on a device that the C kernel does not run on."""
    monkeypatch.setattr(c_pairs, "usable", lambda *_: False)

    def count(*overrides):
        watch = WatchSteps()
        fit(make_module(*overrides), [watch], limit_train_batches=3, limit_val_batches=0)
        assert watch.steps == 2
        return watch.waits.found

    return count


@pytest.fixture
def names_all(monkeypatch):
    """Every batch is taken to name nearly all entities, as it does at the sizes of the paper."""
    monkeypatch.setattr("dhns.models.kge_model.NEARLY_ALL", 0)


@pytest.mark.usefixtures("names_all")
@pytest.mark.parametrize("generator", ["default", "reference", "paper", "gaussian", "none"])
def test_a_step_with_generated_negatives_waits_for_nothing(waits, generator):
    assert not waits(f"generator={generator}")


@pytest.mark.usefixtures("names_all")
@pytest.mark.parametrize(
    ("negatives", "expected"),
    [
        ("uniform", set()),
        ("bernoulli", set()),
        ("sans", set()),
        ("kbgan", set()),
        ("mmrns", {"forward: _unique2"}),
        ("twins", set()),
        ("mans", {"adapted_share: _local_scalar_dense"}),
        ("nscaching", {"_rows: _local_scalar_dense", "_one_of_each: _unique2"}),
        ("shared", {"among: _unique2", "among: index", "among: index_put_", "among: lift_fresh"}),
    ],
)
def test_samplers_wait_where_they_must(waits, negatives, expected):
    assert set(waits("generator=none", f"negatives={negatives}")) <= expected


def test_a_batch_of_few_entities_waits_for_their_number(waits):
    assert set(waits("generator=none")) == {"encode_distinct: _unique2"}


OF_ANSWERS = {"raise_own: gradient", "backward: gradient"}
"""A number per query or answer, added to the scores: they are sorted, but nothing wide is."""


@pytest.mark.usefixtures("names_all")
@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("complex_n3", OF_ANSWERS),
        ("rsme", OF_ANSWERS),
        ("otkge", OF_ANSWERS),
        ("ns_kge", set()),
        ("tucker_n3", OF_ANSWERS | {"_query: _local_scalar_dense", "_multiply: _unique2"}),
        ("transae", set()),
        ("mmkrl", set()),
        ("vbkgc", set()),
        ("ote", {"_targets: _local_scalar_dense"}),
        ("adamf_mat", set()),
    ],
)
def test_models_wait_where_they_must(waits, model, expected):
    """Queries of a loss over all entities are found where the data are: an accelerator would be waited for."""
    assert set(waits(f"model={model}")) <= expected


@pytest.mark.usefixtures("names_all")
def test_generated_candidates_of_a_softmax_wait_for_nothing(waits):
    assert set(waits("model=complex_n3", "generator=partition")) <= OF_ANSWERS
