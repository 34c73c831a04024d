"""Who belongs to a training; that several train and end together: `faults/test_clusters.py`."""

import pytest

from commands.shell import TRAIN, refused, write_graph
from dhns.errors import InputError
from dhns.training.distributed import DataParallel
from dhns.training.launcher import Launched, launched
from dhns.training.team import Team, team_of
from faults.test_clusters import by_slurm, by_torchrun


@pytest.fixture
def environment(monkeypatch):
    """Of a launcher, in this process."""
    return lambda variables: [monkeypatch.setenv(name, str(value)) for name, value in variables.items()]


@pytest.mark.parametrize("launcher", [by_torchrun, by_slurm])
def test_a_launcher_says_how_many_there_are_and_which_one_this_is(environment, launcher):
    assert launched() is None
    environment(launcher(1, 1234))
    assert launched() == Launched(rank=1, size=2)


def test_a_process_alone_belongs_to_nobody(environment):
    environment(by_torchrun(0, 1234) | {"WORLD_SIZE": 1})
    assert launched() is None
    with team_of({"strategy": DataParallel()}) as team:
        assert (team.rank, team.size, team.leads) == (0, 1, True)
        team.tell("nobody is there to hear it")


def test_a_training_that_is_not_distributed_needs_nobody(environment):
    environment(by_torchrun(1, 1234))
    with team_of({"max_epochs": 1}) as team:
        assert team.leads


@pytest.mark.parametrize("text", ["Connection closed by peer [127.0.0.1]:1", "NCCL error: remote process exited"])
def test_the_end_of_another_process_is_told_in_one_line(text):
    with (
        pytest.raises(InputError, match="another process of this training has ended; the same command"),
        Team(1, 2).training(),
    ):
        raise RuntimeError(text)
    with pytest.raises(RuntimeError, match=r"peer|NCCL"), Team().training():
        raise RuntimeError(text)
    with pytest.raises(ZeroDivisionError), Team(0, 2).training():
        raise ZeroDivisionError


def test_several_machines_without_a_launcher_are_refused(tmp_path):
    write_graph(tmp_path / "graph")
    line = refused(tmp_path, *TRAIN, "trainer=ddp", "trainer.num_nodes=2", "trainer.devices=1")
    assert "trainer.num_nodes is 2, and nothing has started this command on other machines" in line
    assert "docs/clusters.md" in line
