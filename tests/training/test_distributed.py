"""Two processes train and rank as one does."""

import pickle
import traceback

import pytest
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.multiprocessing.spawn import ProcessRaisedException

from commands.shell import only_result, refused, succeed
from dhns.data.datamodule import TripleDataModule
from dhns.errors import InputError
from dhns.graph.queries import Queries
from dhns.models.batch import Negatives
from dhns.negatives.sampler import NegativeSampler
from dhns.training.checkpoint import read_checkpoint
from dhns.training.distributed import DataParallel, told_as_here
from training.test_resume import assert_same

PROCESSES = 2
SGD = "optimization.optimizer={_target_: torch.optim.SGD, _partial_: true, lr: 0.5}"


class Forked(DataParallel):
    """As it is, in processes that need not import torch anew; a whole run below has them spawned."""

    def __init__(self):
        super().__init__()
        self._start_method = "fork"

    def setup_environment(self):
        torch.set_num_threads(1)  # those of the process that was forked are gone
        super().setup_environment()


@pytest.fixture
def fit_together(fit):
    """Trains with two processes."""
    return lambda module, *arguments, **options: fit(
        module, *arguments, strategy=Forked(), devices=PROCESSES, **options
    )


class Everyone(NegativeSampler):
    """Draws nothing: all entities are negatives of every positive, heads of every second entity."""

    def forward(self, triples, step, generator, model):
        queries = Queries.of(triples, triples[:, 0] % 2 == 0)
        return Negatives(queries, torch.arange(12).expand(len(triples), -1))


@pytest.mark.parametrize("error", [InputError("the learning rate is -1"), KeyError("a mistake")], ids=repr)
def test_errors_of_other_processes_are_told_as_here(error):
    try:
        raise error
    except (InputError, KeyError):
        text = f"\n\n-- Process 1 terminated with the following error:\n{traceback.format_exc()}"
    expected = InputError if isinstance(error, InputError) else ProcessRaisedException
    with pytest.raises(expected) as raised, told_as_here():
        raise ProcessRaisedException(text, 1, 1234)
    assert str(error) in str(raised.value)
    assert ("Traceback" in str(raised.value)) == (expected is ProcessRaisedException)


def test_sparse_gradients_are_refused(tmp_path):
    ddp = ("trainer=ddp", "trainer.devices=2", "trainer.accelerator=cpu")
    assert "optimization.sparse=true has others" in refused(tmp_path, "train", *ddp, "optimization=lazy_adam")


def test_graphs_travel_to_other_processes(toy_graph):
    copy = pickle.loads(pickle.dumps(toy_graph))
    assert torch.equal(copy.train, toy_graph.train)
    assert copy.modalities.keys() == toy_graph.modalities.keys()
    with pytest.raises(TypeError):
        copy.modalities["audio"] = None


def test_two_processes_take_the_steps_and_find_the_ranks_of_one(make_module, make_trainer, fit, fit_together):
    """Where nothing is drawn, the mean of two gradients is the gradient of the whole batch.

    Of the three validation triples both processes rank one, which must count once.
    """
    modules = []
    for train in (fit, fit_together):
        module = make_module("ablation=no_diffheg", SGD)
        module.sampler = Everyone()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        trainer = train(module, max_epochs=2)
        modules.append(module)
    alone, together = (module.state_dict() for module in modules)
    assert any(not torch.allclose(alone[name], before[name], atol=1e-2) for name in before), "it has moved"
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-5, atol=1e-6)

    by_two = {name: value for name, value in trainer.callback_metrics.items() if name.startswith("valid/")}
    (by_one,) = make_trainer().validate(modules[1], TripleDataModule(module.graph, 8, 0), verbose=False)
    assert len(by_two) == 6
    assert {name: value.item() for name, value in by_two.items()} == {name: by_one[name] for name in by_two}


def test_two_processes_resume_as_if_never_stopped(make_module, fit_together, tmp_path):
    """With everything that has a state: two optimizers, running statistics, caches that differ between processes."""
    overrides = ("negatives=nscaching", "encoder.train_features=true")

    def train(folder, resume=None):
        every = ModelCheckpoint(folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True)
        fit_together(make_module(*overrides), [every], resume, max_epochs=2, enable_checkpointing=True)
        return read_checkpoint(folder / "epoch=1.ckpt")

    unbroken = train(tmp_path / "unbroken")
    resumed = train(tmp_path / "resumed", resume=tmp_path / "unbroken" / "epoch=0.ckpt")
    assert {"sampler.cache", "generator.latents.mean"} <= unbroken["state_dict"].keys()
    for key in ("state_dict", "optimizer_states", "batches_seen"):
        assert_same(resumed[key], unbroken[key])


def test_a_run_of_two_processes_is_a_run(tmp_path):
    """From the command line, on the embedded graph: one result, that of one process up to what was drawn."""
    train = (
        "train", "scorer.dim=16", "negatives.num_negatives=8", "data.batch_size=256", "trainer.max_epochs=3",
        "trainer.check_val_every_n_epoch=3", "optimization.optimizer.lr=2e-2",
    )  # fmt: skip
    found = []
    for name, devices in (("one", ()), ("two", ("trainer=ddp", f"trainer.devices={PROCESSES}"))):
        (tmp_path / name).mkdir()
        succeed(tmp_path / name, *train, *devices, "trainer.accelerator=cpu", OMP_NUM_THREADS="1")
        found.append(only_result(tmp_path / name))
    (path, alone), (other, together) = found
    assert path.relative_to(tmp_path / "one") == other.relative_to(tmp_path / "two"), "the same settings"
    assert (alone["devices"], together["devices"]) == (1, PROCESSES)
    for key in ("epochs", "batches", "parameters", "baseline"):
        assert together[key] == alone[key]
    assert together["generated"]["diagnostics"].keys() == alone["generated"]["diagnostics"].keys()
    assert together["metrics"]["test"]["queries"] == alone["metrics"]["test"]["queries"]
    log = other.parent / "log"
    assert "valid/mrr" in (log / "version_0" / "metrics.csv").read_text(), "of the process that trained"
    assert "final/test/mrr" in (log / "version_1" / "metrics.csv").read_text(), "of the one that ranked"
    assert (log / "version_0" / "predictions.csv").exists()
    mrr = [result["metrics"]["valid"]["mrr"] for result in (alone, together)]
    assert mrr[0] > 0.15
    assert mrr[1] == pytest.approx(mrr[0], rel=0.15)
