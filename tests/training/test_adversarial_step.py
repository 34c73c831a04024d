"""A training step of AdaMF-MAT: who learns when, from what."""

import pytest
import pytorch_lightning as pl
import torch


class Watch(pl.Callback):
    """All parameters before each optimizer's step, and at the end."""

    def __init__(self):
        self.states = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.on_train_batch_end(trainer, pl_module)

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.states.append({name: p.detach().clone() for name, p in pl_module.named_parameters()})


def changed(before, after):
    return {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("scorer", ["rotate", "transe", "distmult", "complex"])
def test_the_generator_steps_first_and_each_optimizer_steps_its_own(make_module, step, scorer):
    watch = Watch()
    metrics = step(make_module("model=adamf_mat", f"scorer={scorer}"), [watch]).callback_metrics
    start, between, end = watch.states
    assert changed(start, between) == {"generator"}
    assert changed(between, end) == {"model"}
    parts = metrics["train/loss_kgc"] + 0.3 * metrics["train/loss_generated"] + metrics["train/loss_own_entity"]
    torch.testing.assert_close(metrics["train/loss"], parts)


def test_the_generators_loss_leaves_no_gradient_to_the_model(make_module, step):
    """The generator's loss is scored by the model, whose step is yet that of AdaMF where fakes have no weight."""
    modules = [make_module(*o) for o in (("model=adamf_mat", "generator.weight=0.0"), ("model=adamf",))]
    for module in modules:
        step(module)
    with_fakes, without = (module.model.state_dict() for module in modules)
    assert all(torch.equal(value, without[name]) for name, value in with_fakes.items())


def test_fakes_train_the_model(make_module, step):
    modules = [make_module("model=adamf_mat", f"generator.weight={weight}") for weight in (0.0, 1.0)]
    for module in modules:
        step(module)
    without, with_fakes = (module.model.encoder.attention.weight for module in modules)
    assert not torch.equal(with_fakes, without)


@pytest.mark.parametrize("overrides", [(), ("scorer=transe", "scorer.norm=l2_squared"), ("scorer=complex",)])
def test_the_non_sampling_loss_takes_a_step(make_module, step, overrides):
    module = make_module("model=ns_kge", *overrides)
    before = module.model.relations.detach().clone()
    assert step(module).callback_metrics["train/loss"].isfinite()
    assert not torch.equal(module.model.relations, before)
