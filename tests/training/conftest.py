"""Modules of the shipped configuration at toy size, and the trainer that takes their steps."""

import pytest
import pytorch_lightning as pl
from omegaconf import OmegaConf

from builders import composed
from dhns.data.datamodule import TripleDataModule
from dhns.training.build import build_module


@pytest.fixture
def make_config():
    """The training configuration, composed as the command line composes it."""
    return composed


@pytest.fixture
def make_module(toy_graph, make_config):
    """A module of the training configuration with overrides, on the toy graph."""

    def make(*overrides):
        config = OmegaConf.to_container(make_config(*overrides), resolve=False)
        return build_module(config, toy_graph)

    return make


@pytest.fixture
def make_trainer(tmp_path):
    """Trainers on the CPU that print and keep nothing."""

    def make(**options):
        return pl.Trainer(
            accelerator="cpu",
            default_root_dir=tmp_path,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            **{"logger": False, "enable_checkpointing": False, "max_epochs": 1, **options},
        )

    return make


@pytest.fixture
def fit(make_trainer):
    """Trains a module for some batches or epochs, on the CPU, and returns the trainer."""

    def run(module, callbacks=(), resume=None, **options):
        trainer = make_trainer(callbacks=list(callbacks), **options)
        data = TripleDataModule(module.graph, batch_size=8, seed=module.seed, by_query=module.sampler is None)
        trainer.fit(module, data, ckpt_path=resume, weights_only=True)
        return trainer

    return run


@pytest.fixture
def step(fit):
    """One training step, without validation."""

    def take(module, callbacks=(), **options):
        return fit(module, callbacks, limit_train_batches=1, limit_val_batches=0, **options)

    return take
