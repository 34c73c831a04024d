"""Nothing that comes from outside is run or unpickled, and nothing secret is written down."""

import ast
from pathlib import Path

import pytest

import dhns
from faults.program import start
from faults.runs import command

PACKAGE = Path(dhns.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
UNPICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle", "joblib"}
REQUIRED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "trainer.fit": ("weights_only", True),
}
"""Calls that unpickle unless they are told not to."""
FORBIDDEN = {
    "eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "pd.read_pickle",
    "torch.hub.load", "torch.jit.load", "torch.package.PackageImporter", "torch.serialization.add_safe_globals",
}  # fmt: skip


def findings(source):
    """What a module does that it must not, with the line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (f"line {node.lineno}: {name}" for name in names if name.split(".")[0] in UNPICKLING)
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            given = {option.arg: option.value for option in node.keywords}
            if called in REQUIRED:
                name, value = REQUIRED[called]
                if not (isinstance(given.get(name), ast.Constant) and given[name].value is value):
                    yield f"line {node.lineno}: {called} without {name}={value}"
            elif called in FORBIDDEN or "shell" in given:
                yield f"line {node.lineno}: {ast.unparse(node)}"
            elif called.endswith((".extractall", ".extract")) and "filter" not in given:
                yield f"line {node.lineno}: {called} without a filter"


def test_there_is_something_to_look_at():
    assert len(SOURCES) > 100


def test_nothing_is_unpickled_or_run():
    found = [f"{path}: {finding}" for path in SOURCES for finding in findings(path.read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(file, Loader=yaml.Loader)",
        "subprocess.run(line, shell=True)",
        "archive.extractall(folder)",
        "eval(text)",
    ],
)
def test_the_search_finds(source):
    assert list(findings(source))


def test_a_run_writes_no_secrets_and_no_folders_of_the_machine_into_its_result(tmp_path):
    secrets = {name: f"secret-of-{name}" for name in ("WANDB_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "NETRC")}
    started = start(tmp_path, command("softmax", "trainer.max_epochs=1"), **secrets)
    assert started.wait() == 0, started.printed()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"result.json", "last.ckpt", "printed.txt", "config.yaml"} <= {path.name for path in files}
    assert not [path for path in files if b"secret-of-" in path.read_bytes()]
    for name in ("result.json", "last.ckpt", "metrics.csv", "hparams.yaml"):
        assert not [path for path in files if path.name == name and bytes(tmp_path) in path.read_bytes()], name
