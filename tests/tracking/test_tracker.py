"""A tracker that fails, hangs or is out of reach never ends a run, and says so once."""

import logging
import threading

import numpy as np
import pytest
import wandb
from omegaconf import OmegaConf
from pytorch_lightning.loggers import CSVLogger

from builders import composed
from dhns.errors import InputError
from dhns.tracking import lightning_loggers
from dhns.tracking.tracker import Tracker, open_tracker
from dhns.tracking.weights_and_biases import WeightsAndBiases
from dhns.training.tracked_content import shown_settings
from tracking import offline_run

METHODS = ("open", "settings", "metrics", "histograms", "table", "summary", "close")
IDENTITY = {"project": "p", "id": "abc-0", "name": "n", "group": "g", "tags": ["t"]}


class Recorder:
    """A backend that notes what is called, and does something else at one method."""

    def __init__(self, at="", act=None):
        self.called = []
        for name in (*METHODS, "abandon"):
            setattr(self, name, self._method(name, act if name == at else None))

    def _method(self, name, act):
        def method(*arguments):
            self.called.append(name)
            if act is not None:
                act()

        return method


def show_everything(tracker):
    tracker.log_hyperparams({"dim": 4})
    tracker.log_metrics({"train/loss": 1.0}, 3)
    tracker.log_histograms({"hardness/true": np.zeros(3, dtype=np.float32)}, 3)
    tracker.log_table("predictions", ["answer"], [["Norway"]], 3)
    tracker.log_summary({"final/test/mrr": 0.5})


def told(caplog):
    return [record.getMessage() for record in caplog.records if record.name.startswith("dhns")]


def fail():
    raise OSError("disk full")


def test_calls_reach_the_backend_in_order():
    backend = Recorder()
    with Tracker(backend) as tracker:
        show_everything(tracker)
    assert backend.called == list(METHODS)


def test_a_tracker_that_is_not_used_opens_nothing():
    backend = Recorder()
    with Tracker(backend):
        pass
    assert backend.called == []


@pytest.mark.parametrize("method", METHODS)
def test_a_failing_tracker_is_told_once_and_switched_off(method, caplog):
    backend = Recorder(method, fail)
    with caplog.at_level(logging.WARNING, logger="dhns"), Tracker(backend) as tracker:
        show_everything(tracker)
        show_everything(tracker)
    (warning,) = told(caplog)
    assert "the run goes on (OSError: disk full)" in warning
    assert backend.called.count(method) == 1
    assert backend.called[-1] == "close"


@pytest.mark.parametrize("method", ["open", "metrics", "close"])
def test_a_hanging_tracker_is_left_behind(method, caplog):
    released = threading.Event()
    backend = Recorder(method, lambda: released.wait(30))
    with caplog.at_level(logging.WARNING, logger="dhns"), Tracker(backend, patience=0.1) as tracker:
        show_everything(tracker)
    (warning,) = told(caplog)
    assert "has not ended after 0.1 s" in warning
    assert backend.called[-1] == "abandon"
    released.set()


def test_an_error_of_the_run_is_not_swallowed():
    backend = Recorder()
    with pytest.raises(OSError, match="disk full"), Tracker(backend) as tracker:  # noqa: PT012
        tracker.log_summary({})
        fail()
    assert backend.called == ["open", "summary", "close"]


def test_a_bare_logger_of_lightning_is_refused_with_what_to_write():
    node = OmegaConf.create({"_target_": "pytorch_lightning.loggers.CSVLogger", "save_dir": "."})
    with pytest.raises(InputError, match=r"CSVLogger; .*logger\.backend\.logger of a dhns\.tracking\.tracker\.Tracker"):
        open_tracker(node)


def test_any_logger_of_lightning_can_be_tracked(tmp_path):
    with Tracker(lightning_loggers.LightningBackend(CSVLogger(tmp_path, name="own"))) as tracker:
        show_everything(tracker)
    lines = (tmp_path / "own" / "version_0" / "metrics.csv").read_text().splitlines()
    assert lines == ["final/test/mrr,step,train/loss", ",3,1.0", "0.5,3,"]


def test_tensorboard_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setattr(lightning_loggers, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'pip install "dhns\[tensorboard\]"'):
        lightning_loggers.TensorBoard(str(tmp_path))


def out_of_reach(error, working_modes=("offline",)):
    """A stand-in of wandb.init that fails except in some modes."""
    init = wandb.init

    def replaced(**options):
        if options["mode"] not in working_modes:
            raise error
        return init(**options)

    return replaced


@pytest.mark.parametrize("error", [wandb.errors.CommError("no answer in 25 s"), TimeoutError("no answer in 25 s")])
def test_without_an_answer_the_run_is_kept_offline(error, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(wandb, "login", lambda **_: True)
    monkeypatch.setattr(wandb, "init", out_of_reach(error))
    backend = WeightsAndBiases(**IDENTITY, folder=str(tmp_path))
    with caplog.at_level(logging.INFO, logger="dhns"), Tracker(backend) as tracker:
        show_everything(tracker)
    (line,) = told(caplog)
    assert "no answer in 25 s; run kept offline; to send it: wandb sync" in line
    assert offline_run.summary(offline_run.read(tmp_path))["final/test/mrr"] == 0.5


def test_a_malformed_key_keeps_the_run_offline_and_is_not_shown(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("WANDB_API_KEY", "s3cret")
    backend = WeightsAndBiases(**IDENTITY, folder=str(tmp_path))
    with caplog.at_level(logging.INFO, logger="dhns"), Tracker(backend) as tracker:
        show_everything(tracker)
    (line,) = told(caplog)
    assert "run kept offline" in line
    assert "s3cret" not in line


def test_disabled_by_wandb_itself_nothing_is_written(monkeypatch, tmp_path, caplog):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    backend = WeightsAndBiases(**IDENTITY, folder=str(tmp_path))
    with caplog.at_level(logging.INFO, logger="dhns"), Tracker(backend) as tracker:
        show_everything(tracker)
    assert told(caplog) == ["Weights & Biases: disabled by WANDB_MODE"]
    assert list(tmp_path.iterdir()) == []


def test_texts_of_interpolations_are_not_shown(monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    shown = shown_settings(composed("+dataset.token=${oc.env:TOKEN}", "budget=short"))
    assert shown["dataset"]["token"] == "${oc.env:TOKEN}"
    assert shown["trainer"]["max_epochs"] == 20, "numbers are what they come to"
    assert not {"paths", "run_dir", "logger"} & shown.keys()
