"""What other packages do not promise is there, and does what it is used for."""

import ast
import copy
import inspect
import signal
import subprocess
import sys
from functools import partial

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal import defaults_list
from hydra._internal.hydra import Hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import MissingConfigException
from hydra.plugins.sweeper import Sweeper
from hydra.types import RunMode
from omegaconf import OmegaConf, base

from dhns import compat
from dhns.config.resolvers import register_resolvers
from dhns.kernels import int8
from dhns.resources import conf_dir


def test_hydras_sweeper_splits_choices_into_jobs():
    sweeper = compat.BasicSweeper(max_batch_size=None, params={"c": "5,6"})
    assert isinstance(sweeper, Sweeper)
    choices = OverridesParser.create().parse_overrides([*sweeper._parse_config(), "a=1,2", "b=3"])
    (jobs,) = sweeper.split_arguments(choices, None)
    assert [*map(sorted, jobs)][:2] == [["a=1", "b=3", "c=5"], ["a=2", "b=3", "c=5"]]
    assert len(jobs) == 4
    assert {"hydra_context", "config", "launcher"} <= vars(sweeper).keys()


def test_the_failure_of_a_job_can_be_read_without_being_raised(capsys):
    job = JobReturn()
    job.status, job.return_value = JobStatus.FAILED, ValueError("no such entity")
    assert compat.failure_of(job) == "no such entity"
    assert capsys.readouterr() == ("", "")


def test_a_program_that_is_a_hydra_app_stays_one():
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        with compat.own_hydra():
            assert not GlobalHydra.instance().is_initialized()
        assert compose("evaluate", ["checkpoint=x"]).checkpoint == "x"


@pytest.fixture
def as_they_are(composing_as_commands_do):
    """What Hydra and OmegaConf compose by, unchanged until the test ends: owner, name and function, if there is one."""
    composing_as_commands_do.close()
    yield [(owner, name, getattr(owner, name, None)) for owner, name, _ in compat._quicker_parts()]
    composing_as_commands_do.enter_context(compat.composing_quickly())


def changed(parts):
    return [name for owner, name, function in parts if getattr(owner, name, None) is not function]


def fully_composed(root, *overrides):
    config = compose(root, [*overrides], return_hydra_config=True)
    written = OmegaConf.to_container(config, resolve=False)
    del config.hydra  # refers to what no command has set here
    return written, OmegaConf.to_container(config, resolve=True), list(config), OmegaConf.is_struct(config)


@pytest.mark.parametrize(
    ("root", "overrides"),
    [
        ("train", ()),
        ("train", ("model=mmkrl", "dataset=mkg_y", "experiment=tuned", "+scorer.x={a: [1]}", "scorer.dim=3")),
        ("train", ("ablation=no_hal", "features=[label,random]", "dataset=db15k", "~loss.temperature")),
        ("reproduce", ("table='5'",)),
        ("data", ("dataset=tsv",)),
        ("train", ("hydra/launcher=joblib", "hydra.launcher.n_jobs=3", "hydra.searchpath=[pkg://hydra.conf]")),
    ],
)
def test_quick_compositions_are_those_of_hydra(root, overrides, as_they_are):
    register_resolvers()
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        with compat.composing_quickly():
            assert len(changed(as_they_are)) == len(as_they_are)
            quick = [fully_composed(root, *overrides) for _ in range(2)]
        assert quick == [fully_composed(root, *overrides)] * 2


COMPOSE_THRICE = """
import sys
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from dhns.compat import composing_quickly

loaded, load = [], OmegaConf.load
OmegaConf.load = staticmethod(lambda file: loaded.append(file.name) or load(file))
with composing_quickly(), initialize_config_dir(sys.argv[1], version_base="1.3"):
    for _ in range(3):
        compose("root")
print(sum(name.endswith("root.yaml") for name in loaded))
"""


def test_quick_compositions_parse_a_file_once(tmp_path):
    """In a process of its own, where Hydra's search for plugins has not begun."""
    (tmp_path / "root.yaml").write_text("x: 1\n")
    command = [sys.executable, "-c", COMPOSE_THRICE, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"


def test_quick_compositions_see_a_file_that_changes_and_one_that_goes(tmp_path, as_they_are):
    (tmp_path / "part").mkdir()
    (tmp_path / "root.yaml").write_text("defaults: [part: one, _self_]\nname: ${part.x}\n")
    file = tmp_path / "part" / "one.yaml"
    file.write_text("x: 1\n")
    with initialize_config_dir(config_dir=str(tmp_path), version_base="1.3"), compat.composing_quickly():
        config = compose("root")
        config.part.x = 7
        assert compose("root").part == {"x": 1}, "what is done to a composition stays there"
        file.write_text("x: 21\n")
        assert compose("root").name == 21
        file.unlink()
        with pytest.raises(MissingConfigException):
            compose("root")
    assert changed(as_they_are) == []
    assert not hasattr(base.Metadata, "__deepcopy__")


def test_what_is_copied_quickly_shares_nothing(as_they_are):
    config = OmegaConf.create({"a": {"b": [1, {"c": 2}], "d": "${a.b}"}})
    OmegaConf.set_struct(config.a, True)
    with compat.composing_quickly():
        copied = copy.deepcopy(config)
        copied.merge_with({"a": {"b": [3]}})
    OmegaConf.set_struct(copied.a, False)
    copied.a.e = copied.a.b
    assert (copied.a.d, config.a.d) == ([3], [1, {"c": 2}])
    assert OmegaConf.is_struct(config.a)
    assert "e" not in config.a
    assert copied.a._get_parent() is copied
    assert copied.a.b._get_parent() is copied.a


def test_another_hydra_composes_as_slowly_as_it_does(as_they_are, monkeypatch):
    monkeypatch.delattr(defaults_list, "_create_interpolation_map")
    with compat.composing_quickly():
        assert changed(as_they_are) == ["_create_interpolation_map"]


@pytest.mark.skipif(not int8.supported("cpu"), reason="this processor has no exact products of int8")
def test_products_of_small_integers():
    left, right = (torch.randint(-127, 128, shape, dtype=torch.int8) for shape in ((17, 64), (64, 32)))
    expected = left.long() @ right.long()
    assert torch.equal(compat.product_of_int8(left, right).long(), expected)


def test_rows_of_a_sparse_tensor_are_read_as_they_are():
    values = torch.tensor([[1.0], [2.0], [3.0]])
    rows, found = compat.rows_and_values(torch.sparse_coo_tensor([[4, 0, 4]], values, (5, 1), check_invariants=True))
    assert rows.tolist() == [4, 0, 4]
    assert torch.equal(found, values)


def test_graphs_of_compiled_functions_can_be_kept():
    from torch._functorch import config

    assert isinstance(config.donated_buffer, bool)
    compat.keep_compiled_graphs()
    assert config.donated_buffer is False


def test_the_compiler_has_a_failure_of_its_own():
    assert issubclass(compat.CompilerFailure, Exception)
    with pytest.raises(compat.CompilerFailure):
        torch.compile(lambda x: torch._dynamo.graph_break() or x, fullgraph=True, backend="eager")(torch.ones(1))


def test_the_compiler_has_a_limit_of_its_own():
    add = torch.compile(lambda x: x + 1, fullgraph=True, backend="eager", dynamic=False)
    with torch._dynamo.config.patch(recompile_limit=1):
        add(torch.ones(1))
        with pytest.raises(compat.CompiledTooOften):
            add(torch.ones(2))
    torch.compiler.reset()


def test_the_launcher_of_processes_can_kill_them():
    assert list(inspect.signature(compat.SpawningLauncher.kill).parameters) == ["self", "signum"]
    launcher = object.__new__(compat.SpawningLauncher)
    launcher.procs = []
    launcher.kill(signal.SIGKILL)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="no attribute 'Sweeper'"):
        compat.Sweeper  # noqa: B018


def test_every_function_and_name_has_a_test():
    body = ast.parse(inspect.getsource(compat)).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    names |= {*compat.__all__}
    with open(__file__, encoding="utf-8") as file:  # noqa: PTH123
        tests = file.read()
    assert [name for name in names if f"compat.{name}" not in tests] == []


@pytest.mark.parametrize(
    ("arguments", "mode"),
    [
        (["head=a"], None),
        (["hydra.mode=MULTIRUN"], RunMode.MULTIRUN),
        (["+hydra={mode: MULTIRUN}"], RunMode.MULTIRUN),
    ],
)
def test_the_mode_of_a_command_is_looked_up_only_where_it_may_be_set(arguments, mode, monkeypatch):
    GlobalHydra.instance().clear()
    before = Hydra.get_mode
    monkeypatch.setattr(sys, "argv", ["dhns", *arguments])
    with initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        found = []
        monkeypatch.setattr(hydra, "compose_config", partial(counted, found, hydra.compose_config))
        with compat.composing_once():
            assert hydra.get_mode("predict", arguments) == mode
        assert len(found) == (mode is not None)
    assert Hydra.get_mode is before


def counted(found, compose_config, *arguments, **named):
    found.append(arguments)
    return compose_config(*arguments, **named)


def test_no_file_of_ours_sets_the_mode_which_is_why_it_need_not_be_looked_up():
    for path in conf_dir().rglob("*.yaml"):
        assert "mode" not in (OmegaConf.load(path).get("hydra") or {}), path
