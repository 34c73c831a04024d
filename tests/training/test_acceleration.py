"""Precision and compilation of a training step: they hold in the step alone, and change no number beyond rounding."""

import functools
import os
import shutil
import sysconfig
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch._dynamo.utils import counters

from dhns.errors import InputError
from dhns.kernels import c_pairs
from dhns.kernels.fusion import forget_compiled, fusible, fusing
from dhns.scorers import distance
from dhns.training.acceleration import Acceleration

compiles = pytest.mark.skipif(
    shutil.which(os.environ.get("CXX", "g++")) is None
    or not (Path(sysconfig.get_path("include")) / "Python.h").exists(),
    reason="torch.compile needs a C++ compiler and the headers of Python",
)


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch.compiler.reset()
    counters.clear()
    yield
    torch.compiler.reset()


def test_precision_of_products_holds_in_the_step_alone(make_module, step):
    class Watch(pl.Callback):
        def on_before_optimizer_step(self, *_):
            self.inside = torch.get_float32_matmul_precision()

        def on_train_batch_end(self, *_):
            self.outside = torch.get_float32_matmul_precision()

    watch = Watch()
    step(make_module("acceleration.matmul_precision=high"), callbacks=[watch])
    assert (watch.inside, watch.outside) == ("high", "highest")


def test_a_failed_step_leaves_the_process_as_it_was():
    seen = []
    watched = fusible(lambda: seen.append(torch.compiler.is_compiling()))
    with pytest.raises(ZeroDivisionError), Acceleration("medium", compile=True).step():
        raise ZeroDivisionError
    watched()
    assert torch.get_float32_matmul_precision() == "highest"
    assert seen == [False]
    assert not counters["stats"]


@compiles
@pytest.mark.parametrize(("generator", "precision"), [("default", "32-true"), ("reference", "bf16-mixed")])
def test_a_compiled_step_is_the_same_step(make_module, step, generator, precision):
    plain, compiled = (
        make_module(f"generator={generator}", "scorer.dim=8", f"acceleration.compile={on}") for on in ("false", "true")
    )
    expected = step(plain, precision=precision).callback_metrics
    assert not counters["stats"]
    found = step(compiled, precision=precision).callback_metrics
    assert counters["stats"]["unique_graphs"] >= 2  # the loss and the chain
    rtol = 1e-4 if precision == "32-true" else 1e-2
    for name in ("train/loss_diffusion", "train/loss_generated", "train/loss"):
        torch.testing.assert_close(found[name], expected[name], rtol=rtol, atol=1e-6, msg=name)
    if precision == "32-true":  # Adam's first step makes as much of a gradient's rounding as of its value
        for (name, value), other in zip(plain.named_parameters(), compiled.parameters(), strict=True):
            torch.testing.assert_close(other, value, rtol=1e-3, atol=1e-5, msg=name)


@compiles
@pytest.mark.parametrize("norm", ["l1", "l2", "modulus"])
def test_fused_distances_are_those_of_the_formula(monkeypatch, norm):
    monkeypatch.setattr(c_pairs, "usable", lambda *_: False)
    generator = torch.Generator().manual_seed(3)
    query, table = (torch.randn(n, 6, generator=generator, dtype=torch.float64) for n in (5, 9))
    index = torch.randint(9, (5, 4), generator=generator)

    def with_gradients(measure):
        inputs = [tensor.clone().requires_grad_() for tensor in (query, table)]
        found = measure(*inputs)
        return found, *torch.autograd.grad(found.square().sum(), inputs)

    exact = with_gradients(lambda q, t: distance.pairwise_distance(q[:, None], t[index], norm))
    with fusing(True):
        found = with_gradients(lambda q, t: distance.indexed_distance(q, t, index, norm))
    assert counters["stats"]["unique_graphs"] == 2  # forward and backward
    for value, expected in zip(found, exact, strict=True):
        torch.testing.assert_close(value, expected)


def test_a_machine_without_a_compiler_is_told_so(monkeypatch):
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    monkeypatch.setattr("torch._inductor.config.force_disable_caches", True)
    with fusing(True), pytest.raises(InputError, match=r"no-such-compiler.*acceleration\.compile=false"):
        fusible(lambda x: x.sin().sum(-1))(torch.ones(3, 5))


def test_a_function_that_was_compiled_too_often_is_told_and_another_job_begins_anew(monkeypatch):
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="eager", dynamic=False))
    double = fusible(lambda x: 2 * x)
    with fusing(True), torch._dynamo.config.patch(recompile_limit=1):
        double(torch.ones(1))
        with pytest.raises(InputError, match=r"too many kinds of inputs .*acceleration\.compile=false"):
            double(torch.ones(2))
        forget_compiled()
        assert double(torch.ones(4)).tolist() == [2, 2, 2, 2]
