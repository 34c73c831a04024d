"""The device is one that this machine has, whatever its torch was built for."""

import json

import pytest
import torch

from commands.shell import TRAIN, only_result, program, succeed, write_graph
from dhns.errors import InputError
from dhns.training.device import choose_device, kind_of


@pytest.fixture
def built_for_cuda(monkeypatch):
    """PyPI's torch on a machine without a GPU: it names an accelerator that is not there."""

    def current_accelerator(check_available=False):
        return None if check_available else torch.device("cuda")

    monkeypatch.setattr(torch.accelerator, "current_accelerator", current_accelerator)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_build_for_cuda_computes_on_the_processor_where_there_is_no_gpu(built_for_cuda):
    assert choose_device("auto") == torch.device("cpu")


def test_an_accelerator_that_is_there_is_taken(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available=False: torch.device("meta"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert choose_device("auto") == torch.device("meta")


@pytest.mark.parametrize("name", ["cuda:99", "meta", "hpu", "privateuseone", "abacus", "", "cuda:x"])
def test_devices_that_are_not_there(name):
    with pytest.raises(InputError, match="is not usable here"):
        choose_device(name)


def test_train_evaluate_and_predict_of_a_build_for_cuda(built_for_cuda, tmp_path):
    write_graph(tmp_path / "graph")
    settings = [argument for argument in TRAIN if not argument.startswith("trainer.accelerator")]
    succeed(tmp_path, *settings, "model=rotate", "run_dir=run")
    assert only_result(tmp_path)[1]["device"] == "cpu"
    assert succeed(tmp_path, "evaluate", "checkpoint=run")
    assert succeed(tmp_path, "predict", "checkpoint=run", "head=e0", "relation=next")


def test_a_training_takes_the_accelerator_unless_told_otherwise(monkeypatch):
    monkeypatch.setattr("dhns.training.device.choose_device", lambda name: torch.device("cuda"))
    assert [kind_of(name) for name in ("auto", "gpu", "cpu")] == ["cuda", "cuda", "cpu"]


def test_a_result_of_another_device_is_said_to_be_one(tmp_path):
    write_graph(tmp_path / "graph")
    command = (*TRAIN, "run_dir=run", "generator=none")
    succeed(tmp_path, *command)
    path, result = only_result(tmp_path)
    assert "other random numbers" not in program(tmp_path, *command).err
    path.write_text(json.dumps(result | {"device": "cuda:0"}))
    again = program(tmp_path, *command)
    assert "that result was made on cuda, which draws other random numbers than cpu" in again.out + again.err
    assert "by a run on cuda, filtered" in again.out
    succeed(tmp_path, *command, "seed=1", "run_dir=other")
    assert "of mine, 1 on cpu and 1 on cuda: the same settings" in succeed(tmp_path, "compare", "runs=.")
