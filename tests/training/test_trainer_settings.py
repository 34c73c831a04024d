"""Every argument of Lightning's Trainer is one that a run takes, or is refused with the way to what it is for."""

import inspect

import pytest
import pytorch_lightning as pl

from commands.shell import TRAIN, only_result, refused, succeed, write_graph
from dhns.config.trainer_settings import REFUSED, TrainerSettings

TAKEN = TrainerSettings.__annotations__.keys()


def test_every_argument_of_the_trainer_is_taken_or_refused():
    assert inspect.signature(pl.Trainer).parameters.keys() == TAKEN | REFUSED.keys()
    assert not TAKEN & REFUSED.keys()


def test_a_run_with_all_that_is_taken(tmp_path):
    write_graph(tmp_path / "graph")
    more = (
        "trainer.log_every_n_steps=0", "trainer.num_sanity_val_steps=2", "trainer.deterministic=true",
        "trainer.precision=bf16-mixed", "trainer.enable_model_summary=true", "trainer.devices=1",
        "+trainer.benchmark=false", "+trainer.detect_anomaly=true", "+trainer.profiler=simple",
        "+trainer.strategy=auto",
    )  # fmt: skip
    succeed(tmp_path, *TRAIN, *more)
    assert only_result(tmp_path)[1]["epochs"] == 2


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_with_a_reason(tmp_path, name):
    for plus in ("+", ""):
        assert REFUSED[name] in refused(tmp_path, *TRAIN, f"{plus}trainer.{name}=1")


VALUES = {
    "precision=16-mixed": "'16-mixed'; expected 32-true, bf16-mixed",
    "precision=64-true": "'64-true'; expected 32-true, bf16-mixed",
    "precision=bf16-true": "'bf16-true'; expected 32-true, bf16-mixed",
    "max_epochs=-1": "-1; at least 1 is needed",
    "max_epochs=0": "0; at least 1 is needed",
    "max_epochs=null": "null; expected an integer",
    "check_val_every_n_epoch=0": "0; at least 1 is needed",
    "check_val_every_n_epoch=null": "null; expected an integer",
    "devices={a: 1}": "expected an integer, a text, a list",
    "deterministic=maybe": "'maybe'; expected true or false, warn",
}


@pytest.mark.parametrize(("setting", "message"), VALUES.items(), ids=VALUES)
def test_values_that_no_run_takes(tmp_path, setting, message):
    line = refused(tmp_path, *TRAIN, f"trainer.{setting}")
    assert f"trainer.{setting.partition('=')[0]} is " in line
    assert message in line


@pytest.mark.parametrize(
    "setting", ["devices=0", "devices=[]", "devices=x", "accelerator=tpu", "+trainer.strategy=ddp_x"]
)
def test_what_lightning_refuses_is_told_before_the_data_are_read(tmp_path, setting):
    name = setting if setting.startswith("+") else f"trainer.{setting}"
    assert "trainer" in refused(tmp_path, *TRAIN, name)
