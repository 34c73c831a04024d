"""The project, put together from its configuration as a run puts it together, without checkpoints and logs."""

from __future__ import annotations

import os
from typing import Any

import pytorch_lightning as pl
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Callback

from benchmarks.turns import Turns, TurnsOfSteps
from dhns.config.resolvers import register_resolvers
from dhns.data.datamodule import TripleDataModule
from dhns.graph.load import load_graph
from dhns.kernels.allocator import keep_freed_memory, leave_new_memory_as_it_is
from dhns.resources import conf_dir
from dhns.training.build import build_module
from dhns.training.evaluation import rank_split

COMMON = ("trainer.accelerator=cpu", "trainer.max_epochs=1000000", "protocol=as_published", "own_entity=false")
"""Training without an end in sight on the processor, on the published splits, which the peers read too; no peer has a
number for the own entity."""


KEEP_MEMORY = "BENCH_KEEP_MEMORY"
"""Variable of a process: 0 leaves the allocator as it is, which a run of the project does not."""


def composed(overrides: list[str], folder: str) -> DictConfig:
    """The configuration of ``dhns train`` with these overrides, on the graph in ``folder``."""
    register_resolvers()
    if os.environ.get(KEEP_MEMORY) != "0":
        keep_freed_memory()
    leave_new_memory_as_it_is()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        return compose("train", overrides=[*overrides, *COMMON, f"dataset.folder={folder}"])


class TurnsOfTraining(Callback):
    """A turn is a number of steps."""

    def __init__(self, turns: TurnsOfSteps) -> None:
        self._turns = turns

    def on_train_batch_start(self, *_: Any) -> None:
        self._turns.before_step()


def train(turns: Turns, folder: str, overrides: list[str], counted: str, steps: int | None = None) -> None:
    """Training steps, by Lightning's own loop.

    Args:
        turns: of the process.
        folder: of the graph.
        overrides: settings.
        counted: what a turn's work is counted in: positives, epochs or steps.
        steps: per turn; null is an epoch.
    """
    config = composed(overrides, folder)
    graph = load_graph(config)
    plain: Any = OmegaConf.to_container(config, resolve=False)
    module = build_module(plain, graph)
    by_query = module.sampler is None
    data = TripleDataModule(graph, config.data.batch_size, config.seed, by_query=by_query)
    batches = len(data.train_dataloader())
    per_turn = steps or batches
    amount = {
        "positives": per_turn * config.data.batch_size,
        "epochs": per_turn / batches,
        "steps": per_turn,
    }[counted]
    settings: Any = OmegaConf.to_container(config.trainer, resolve=True)
    trainer = pl.Trainer(
        **settings,
        # positives per second are those of full batches; an epoch has them all
        limit_train_batches=batches if by_query else len(graph.train) // config.data.batch_size,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[TurnsOfTraining(TurnsOfSteps(turns, per_turn, amount))],
    )
    trainer.fit(module, data)


def rank(turns: Turns, folder: str, overrides: list[str]) -> None:
    """Ranking of the whole test split by an untrained model, as after training."""
    config = composed(overrides, folder)
    plain: Any = OmegaConf.to_container(config, resolve=False)
    module = build_module(plain, load_graph(config))
    turns.repeat(lambda: rank_split(module, "test"))
