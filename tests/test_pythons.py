"""What pyproject.toml promises, constraints.txt pins, and scripts/pythons.py finds. `make pins` asks the index."""

import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def pythons():
    spec = importlib.util.spec_from_file_location("pythons", REPOSITORY / "scripts" / "pythons.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins():
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    return {canonical(name): version for name, version in pinned.items()}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_first_promised_version_is_the_one_that_pip_requires(pythons):
    assert PROJECT["requires-python"] == f">={pythons.promised()[0]}"
    assert all(version in SpecifierSet(PROJECT["requires-python"]) for version in pythons.promised())
    assert pythons.CURRENT in pythons.promised()


def test_everything_that_the_project_asks_for_is_pinned_as_it_asks():
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if requirement.name != "dhns":
            assert pins()[canonical(requirement.name)] in requirement.specifier, requirement


def interpreter(path, version):
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{version}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_interpreters_are_looked_for_on_the_path_and_in_pyenv(pythons, tmp_path, monkeypatch):
    assert pythons.find(pythons.CURRENT) == Path(sys.executable)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    assert pythons.find("3.99") is None
    shim = interpreter(tmp_path / "bin" / "python3.99", "exit 127")
    assert pythons.find("3.99") is None
    there = interpreter(tmp_path / "pyenv" / "versions" / "3.99.1" / "bin" / "python", "echo 3.99")
    assert pythons.find("3.99") == there
    shim.write_text("#!/bin/sh\necho 3.99\n", encoding="utf-8")
    assert pythons.find("3.99") == shim
