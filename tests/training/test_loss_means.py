"""The losses that a run reports are means over positives."""

import csv

import pytest
import pytorch_lightning as pl
import torch

from dhns.training.loss_means import LossMeans


def test_a_batch_counts_by_its_positives_and_a_loss_over_the_batches_that_have_it():
    means = LossMeans()
    for size, loss in ((3, 1.0), (1, 5.0)):
        means.add("loss", torch.tensor(loss, requires_grad=True), size)
    means.add("every other", torch.tensor(2.0), 1)
    taken = means.take()
    assert {name: mean.item() for name, mean in taken.items()} == {"loss": 2.0, "every other": 2.0}
    assert not taken["loss"].requires_grad
    means.add("loss", torch.tensor(7.0), 2)
    assert {name: mean.item() for name, mean in means.take().items()} == {"loss": 7.0}
    assert means.take() == {}


class Steps(pl.Callback):
    """Loss and size of every batch by epoch."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_start(self, trainer, module):
        self.epochs.append([])

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self.epochs[-1].append((outputs["loss"].item(), len(batch)))


class BreaksOff(pl.Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        raise ZeroDivisionError


@pytest.mark.parametrize("broken_off_before", [False, True])
def test_an_epoch_reports_the_mean_of_its_steps(make_module, fit, tmp_path, broken_off_before):
    module = make_module("model=rotate", "regularizer=none", "own_entity=false")
    if broken_off_before:
        with pytest.raises(ZeroDivisionError):
            fit(module, [BreaksOff()])
    steps, logger = Steps(), pl.loggers.CSVLogger(tmp_path)
    fit(module, [steps], max_epochs=2, logger=logger, log_every_n_steps=1)
    assert len(steps.epochs[0]) > 1
    assert len({size for _, size in steps.epochs[0]}) == 2, "the last batch is a smaller one"
    with next(tmp_path.rglob("metrics.csv")).open() as file:
        found = [float(line["train/loss"]) for line in csv.DictReader(file) if line["train/loss"]]
    expected = [sum(loss * size for loss, size in epoch) / sum(size for _, size in epoch) for epoch in steps.epochs]
    assert found == pytest.approx(expected)
