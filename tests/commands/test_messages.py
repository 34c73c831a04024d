"""What a user is told: one line, which names what is wrong, and advises nothing that would then be refused."""

import errno

import pytest
import torch
from hydra.errors import ConfigCompositionException

from commands.shell import TRAIN, refused, succeed
from dhns.commands.messages import is_told, message
from dhns.errors import InputError

COMMANDS = {
    "train": (),
    "evaluate": ("checkpoint=run",),
    "predict": ("checkpoint=run", "head=e0", "relation=next"),
    "compare": (),
    "curves": (),
    "report": ("run=run",),
    "data": ("action=stats",),
    "features": ("out=out", "images=images"),
    "reproduce": ("print_jobs=true",),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    "override", ["+nonsense=1", "++nonsense=1", "nonsense=1", "+paths.nonsense=1", "+table.nonsense=1"]
)
def test_no_command_takes_a_setting_that_it_does_not_read(tmp_path, command, override):
    line = refused(tmp_path, command, *COMMANDS[command], override)
    assert "no setting" in line
    assert "+nonsense" not in line


@pytest.mark.parametrize("command", ["evaluate", "predict", "compare", "curves", "reproduce"])
def test_no_command_takes_a_data_set_that_it_does_not_read(tmp_path, command):
    assert "no setting" in refused(tmp_path, command, *COMMANDS[command], "+dataset.nonsense=x")


HINTS = {
    "scorer.dimm=3": "there is no setting 'scorer.dimm'; did you mean scorer.dim?",
    "data={batch: 3}": "there is no setting 'data.batch'; did you mean data.batch_size?",
    "trainer.profiler=simple": "there is no setting 'trainer.profiler'; +trainer.profiler=VALUE adds it",
    "trainer.gradient_clip_val=1": "optimization.clip_norm clips the model's gradients",
    "model=rotat": "Could not find 'model/rotat'; did you mean rotate",
    "model=[rotate,transe]": "takes one name: model=rotate; model=rotate,transe --multirun is a run of each",
    "ablation=[no_hal]": "ablation=[no_hal] is a list, and ablation takes one name: ablation=no_hal",
    "experiment=tuned/mkg_y": "is a part of one that chooses it itself: experiment=tuned",
    "logger=[]": "logger takes one name: logger=NAME",
    "experiment=[tuned,xyzzy]": "Could not find 'experiment/xyzzy' Available options in 'experiment': ceilings",
    "features=[none,xyzzy]": "Could not find 'features/xyzzy' Available options in 'features': description label",
    "model=xyzzy": "Could not find 'model/xyzzy' Available options in 'model': adamf adamf_mat",
    "epochs.smoke=6": "'epochs.smoke' is called 'budgets.smoke.epochs' now",
    "diffheg=none": "there is no setting 'diffheg'; 'diffheg' is called 'generator' now",
    "diffheg.generator.rows=3": "'diffheg.generator.rows' is called 'generator.model.rows' now",
    "experiment=tuneed": "Could not find 'experiment/tuneed'; did you mean tuned",
    "experiment=tuned loss=margin_ranking": "experiment=tuned has no settings of loss=margin_ranking on world_flags",
    "model=null": "expected the name of a file in conf/, not null or a number: model=null",
    "~stopping": "dhns train needs stopping; leave out ~stopping",
    "scorer=": "scorer",
}


@pytest.mark.parametrize(("override", "message"), HINTS.items(), ids=HINTS)
def test_what_is_meant(tmp_path, override, message):
    assert message in refused(tmp_path, "train", *([override] if "{" in override else override.split()))


@pytest.mark.parametrize("setting", ["own_entity=true", "features=label", "scorer.dim=4"])
def test_a_setting_of_runs_goes_among_the_overrides_of_a_table(monkeypatch, setting):
    monkeypatch.setattr("sys.argv", ["dhns", "reproduce", setting])
    error = ConfigCompositionException(f"Could not override '{setting.partition('=')[0].partition('.')[0]}'.")
    assert message(error, "reproduce").endswith(f'overrides=["{setting}"] gives it to every run')


def test_what_is_advised_is_accepted(place):
    line = refused(place, *TRAIN, "dataset.modalities.more=text.npy", "model=rotate")
    assert line.endswith("; +dataset.modalities.more=VALUE adds it")
    succeed(place, *TRAIN, "+dataset.modalities.more=text.npy", "model=rotate")


def test_a_word_is_no_setting(tmp_path):
    assert refused(tmp_path, "train", "rotate").endswith("'rotate' is not of the form key=value")


@pytest.mark.parametrize(
    "override", ["run_dir=file", "run_dir=file/run", "paths.outputs=file/outputs", f"run_dir={'x' * 300}"]
)
def test_folders_that_cannot_be(place, override):
    (place / "file").touch()
    line = refused(place, *TRAIN, override)
    assert override.partition("=")[2] in line
    assert line.endswith("; give another path")


TOLD = [
    InputError("wrong"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB"),
    MemoryError(),
    OSError(errno.ENOSPC, "No space left on device", "file"),
    NotADirectoryError(errno.ENOTDIR, "Not a directory", "file/x"),
]


@pytest.mark.parametrize("error", TOLD, ids=repr)
def test_errors_that_are_told(error):
    assert is_told(error)
    assert "\n" not in message(error, "train")


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes do not match"), KeyError("x"), OSError("x"), TypeError("x")], ids=repr
)
def test_mistakes_of_the_program_are_not(error):
    assert not is_told(error)


def test_a_lack_of_memory_names_what_takes_it():
    assert "memory is short" in message(MemoryError(), "train")
    assert "negatives.num_negatives" in message(MemoryError(), "train")
