"""The example of a package outside of this one: its parts are trained, continued and used, and meet their contracts."""

import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

import dhns
from commands.shell import DATA, MODALITIES, SMALL, refused, results, succeed, write_graph
from dhns.testing import small_graph

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "outside"
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
TRUST = ["extra_parts"]


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLE / "src")
    monkeypatch.delenv("DHNS_CONFIG_DIR", raising=False)


def its_tests():
    """The tests of the example, which import its package."""
    sys.path.insert(0, str(EXAMPLE / "src"))
    try:
        spec = importlib.util.spec_from_file_location("tests_of_the_example", EXAMPLE / "tests" / "test_parts.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(EXAMPLE / "src"))
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


ITS_TESTS = its_tests()


@pytest.mark.parametrize("name", ITS_TESTS)
def test_its_own_tests_pass(name):
    ITS_TESTS[name]()


CHOICES = [{"scorer": "hake"}, {"negatives": "typed"}, {"encoder": "gated"}, {"encoder": "gated", "generator": "mixed"}]


@pytest.mark.parametrize("choices", CHOICES, ids=lambda choices: "+".join(choices.values()))
def test_each_part_goes_with_ours(choices, tmp_path):
    """Trained by itself, among shipped parts; loaded with consent alone; evaluated, and asked."""
    settings = {
        "scorer.dim": 4,
        "negatives.num_negatives": 4,
        "trainer.max_epochs": 1,
        "trainer.accelerator": "cpu",
        "progress": False,
    }
    graph = small_graph()
    run = dhns.train(
        graph, "rotate", settings=settings, outputs=tmp_path, config_dir=EXAMPLE / "conf", logger="none", **choices
    )
    with pytest.raises(dhns.InputError, match=r"asks to call 'extra_parts\..*add trust=\[extra_parts\]"):
        dhns.load(run.folder, device="cpu")
    model = dhns.load(run.folder, device="cpu", trust=TRUST)
    assert model.evaluate() == run.metrics
    assert len(model.predict(head="e1", relation="next", k=3)) == 3


def commands():
    """Those of the page, for a graph of twelve entities."""
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    smaller = {"trainer.max_epochs=200": "trainer.max_epochs=3", "head=Bolivia": "head=e1"}
    for line in block.splitlines():
        program, command, *arguments = shlex.split(line)
        assert program == "dhns"
        arguments = [smaller.get(part, part) for part in arguments]
        arguments = ["relation=next" if part.startswith("relation=") else part for part in arguments]
        if command == "train":
            arguments = [*DATA, *MODALITIES, *SMALL, "progress=false", *arguments]
        elif command in ("evaluate", "predict"):
            arguments.append("device=cpu")
        yield command, arguments


def test_the_commands_of_the_page(tmp_path):
    write_graph(tmp_path / "graph")
    shutil.copytree(EXAMPLE / "conf", tmp_path / "conf")
    printed = [succeed(tmp_path, command, *arguments) for command, arguments in commands()]
    epochs = [results(tmp_path)[tmp_path / "outputs" / name / "result.json"]["epochs"] for name in ("extra", "longer")]
    assert epochs == [2, 3]
    assert "valid split of mine" in printed[2]
    assert "Entity 2" in printed[3]
    assert len(results(tmp_path)) == 4
    assert "HAKE" in printed[5]
    line = refused(tmp_path, "evaluate", "checkpoint=outputs/extra", "device=cpu")
    assert line.endswith("add trust=[extra_parts]")


def test_the_page_tells_what_a_broken_part_is_told(capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile("".join(blocks), "extending.md", "exec"), {"__name__": "page"})
    for line in capsys.readouterr().out.splitlines():
        assert f"    {line}\n" in PAGE


def test_the_page_counts_lines():
    counted = re.findall(r"`([\w/]+\.(?:py|yaml))`, (\d+)", PAGE)
    assert len(counted) == 8
    for name, lines in counted:
        path = EXAMPLE / ("src/extra_parts" if name.endswith(".py") else "conf") / name
        assert len(path.read_text(encoding="utf-8").splitlines()) == int(lines), name
    for line in (EXAMPLE / "conf" / "negatives" / "typed.yaml").read_text(encoding="utf-8").splitlines():
        assert f"    {line}\n" in PAGE
