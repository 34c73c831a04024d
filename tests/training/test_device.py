"""The device is one that this machine has, whatever its torch was built for."""

import pytest
import torch

from commands.shell import TRAIN, only_result, succeed, write_graph
from dhns.errors import InputError
from dhns.training.device import choose_device


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
