"""A run that stops and goes on is the run that never stopped, bit by bit."""

import pytest
import pytorch_lightning as pl
import torch

from dhns.training.callbacks import checkpoints

SCHEDULE = "{_target_: torch.optim.lr_scheduler.ExponentialLR, _partial_: true, gamma: 0.9}"
RUNS = {
    "diffheg": ("generator=default",),
    "full chains that train the model": ("scorer=distmult", "generator=reference", "encoder.train_features=true"),
    "schedules and alternating sides": (f"optimization.scheduler={SCHEDULE}", "negatives=uniform"),
    "no generator": ("ablation=no_diffheg",),
    "caches of negatives": ("negatives=nscaching", "ablation=no_diffheg"),
    "a sampler that learns": ("negatives=kbgan", "ablation=no_diffheg"),
    "a loss over all entities": ("model=complex_n3",),
}


@pytest.fixture
def train(fit):
    def run(module, folder, epochs, resume=None):
        callbacks = checkpoints(folder, select_best=True, patience=None)
        return fit(module, callbacks, resume, max_epochs=epochs, enable_checkpointing=True, check_val_every_n_epoch=2)

    return run


def state_of(module):
    return {"model": module.state_dict(), "optimizers": [o.state_dict() for o in module.trainer.optimizers]}


def assert_same(first, second):
    """Nested containers with bit-identical tensors."""
    assert type(first) is type(second)
    if isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for a, b in zip(first, second, strict=True):
            assert_same(a, b)
    else:
        assert first == second


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
@pytest.mark.parametrize("overrides", RUNS.values(), ids=RUNS.keys())
def test_resumed_training_is_bit_identical(make_module, train, tmp_path, overrides):
    unbroken = make_module(*overrides)
    expected = train(unbroken, tmp_path / "unbroken", 4).callback_metrics

    train(make_module(*overrides), tmp_path / "broken", 2)
    torch.manual_seed(12345)  # another process would be in another state
    resumed = make_module(*overrides)
    found = train(resumed, tmp_path / "broken", 4, resume=tmp_path / "broken" / "last.ckpt").callback_metrics

    per_epoch = 4 if unbroken.sampler is None else 3  # 32 queries or 18 triples, in batches of 8
    assert resumed.batches_seen == unbroken.batches_seen == 4 * per_epoch
    assert_same(state_of(resumed), state_of(unbroken))
    assert_same(dict(found), dict(expected))


@pytest.mark.parametrize("select_best", [True, False])
def test_checkpoints_of_a_run(make_module, fit, tmp_path, select_best):
    callbacks = checkpoints(tmp_path / "kept", select_best, patience=None)
    options = {} if select_best else {"limit_val_batches": 0}
    fit(make_module(), callbacks, max_epochs=3, enable_checkpointing=True, **options)
    names = {path.name for path in (tmp_path / "kept").iterdir()}
    assert names == ({"best.ckpt", "last.ckpt"} if select_best else {"last.ckpt"})
    assert torch.load(tmp_path / "kept" / "last.ckpt", weights_only=True)["epoch"] == 2


def test_patience_stops_a_run_that_no_longer_improves(make_module, fit, tmp_path):
    still = "optimization.optimizer.lr=0.0"
    callbacks = checkpoints(tmp_path, select_best=True, patience=2)
    trainer = fit(make_module(still), callbacks, max_epochs=9, enable_checkpointing=True)
    assert trainer.current_epoch == 3


def test_best_checkpoint_is_that_of_the_best_validation(make_module, fit, tmp_path):
    seen = []

    class Record(pl.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            seen.append(trainer.callback_metrics["valid/mrr"].item())

    callbacks = [Record(), *checkpoints(tmp_path, select_best=True, patience=None)]
    fit(
        make_module("ablation=no_diffheg", "optimization.optimizer.lr=0.05", "own_entity=false"),
        callbacks,
        max_epochs=8,
        enable_checkpointing=True,
    )
    best = torch.load(tmp_path / "best.ckpt", weights_only=True)
    assert best["epoch"] == seen.index(max(seen))
    assert 0 < seen.index(max(seen)) < 7, "neither the first nor the last, or this test shows nothing"
