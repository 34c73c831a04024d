"""Working folders in which the program is run."""

import pytest
from hydra.core.global_hydra import GlobalHydra

from commands.shell import TRAIN, succeed, write_graph


@pytest.fixture
def place(tmp_path):
    """A working folder with the tiny graph in ``graph/``."""
    write_graph(tmp_path / "graph")
    return tmp_path


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A working folder with the tiny graph and one finished run of dhns in ``run/``; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    write_graph(folder / "graph")
    printed = succeed(folder, *TRAIN, "run_dir=run")
    return folder, printed


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Settings of this machine do not reach the tests, and what a run sets does not leave them."""
    for name in ("DHNS_DATA", "DHNS_OUTPUTS", "DHNS_WANDB_OFFLINE", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DHNS_DOWNLOAD", "false")
    yield
    GlobalHydra.instance().clear()
