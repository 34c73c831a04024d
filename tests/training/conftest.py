"""Modules of the shipped configuration at toy size, and the trainer that takes their steps."""

import functools

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from dhns.commands.app import register_resolvers
from dhns.data.datamodule import TripleDataModule
from dhns.resources import conf_dir
from dhns.training.module import LinkPredictionModule

SMALL = ("scorer.dim=8", "negatives.num_negatives=4", "data.batch_size=8", "seed=3")


@functools.cache
def composed(*overrides):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=[*SMALL, *overrides])


@pytest.fixture
def make_config():
    """The training configuration, composed as the command line composes it."""
    return lambda *overrides: composed(*overrides).copy()


@pytest.fixture
def make_module(toy_graph, make_config):
    """A module of the training configuration with overrides, on the toy graph."""

    def make(*overrides):
        config = OmegaConf.to_container(make_config(*overrides), resolve=False)
        return LinkPredictionModule(config, toy_graph)

    return make


@pytest.fixture
def fit(tmp_path):
    """Trains a module for some batches or epochs, on the CPU, and returns the trainer."""

    def run(module, callbacks=(), resume=None, **options):
        trainer = pl.Trainer(
            accelerator="cpu",
            default_root_dir=tmp_path,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            callbacks=list(callbacks),
            **{"enable_checkpointing": False, "max_epochs": 1, **options},
        )
        data = TripleDataModule(module.graph, batch_size=8, seed=module.seed)
        trainer.fit(module, data, ckpt_path=resume, weights_only=True)
        return trainer

    return run


@pytest.fixture
def step(fit):
    """One training step, without validation."""
    return lambda module, callbacks=(): fit(module, callbacks, limit_train_batches=1, limit_val_batches=0)


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setenv("PL_DISABLE_FORK", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
