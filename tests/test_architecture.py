"""No import runs up or round: the floors of the house, from the ground."""

import ast
import functools
from pathlib import Path

import pytest

import dhns

ROOT = Path(dhns.__file__).parent
GROUND = (
    "compat",
    "errors",
    "ranges",
    "randomness",
    "names",
    "interruption",
    "resources",
    "console",
    "progress",
    "files",
    "extras",
)
FLOORS = (
    ("graph", "kernels", "optim"),
    ("config", "scorers"),
    ("encoders", "ranking", "results"),
    ("data", "models", "tracking"),
    ("generators", "losses", "negatives", "sources", "features", "exchange"),
    ("training", "testing"),
    ("experiments", "sharing", "reporting"),
    ("api",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
"""A package may import what lies below its floor; within one floor packages do not know each other."""
HEIGHT = {name: height for height, floor in enumerate(FLOORS) for name in floor}


@functools.cache
def modules():
    return {path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def imports(tree):
    """The modules of this project that a module imports anywhere, also late or for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "dhns":
            yield node.module.split(".")[1:] or [alias.name for alias in node.names][:1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1:] for alias in node.names if alias.name.startswith("dhns."))


def test_every_package_has_a_floor():
    names = {path.parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert names == {*HEIGHT, *GROUND}


@pytest.mark.parametrize("package", HEIGHT)
def test_imports_run_down(package):
    wrong = [
        f"{path} imports {'.'.join(target)}"
        for path, tree in modules().items()
        if path.parts[0].removesuffix(".py") == package
        for target in imports(tree)
        if target[0] != package and target[0] in HEIGHT and HEIGHT[target[0]] >= HEIGHT[package]
    ]
    assert not wrong


def test_the_ground_knows_nothing_above_it():
    for name in GROUND:
        tree = modules()[Path(f"{name}.py")]
        assert {target[0] for target in imports(tree)} <= set(GROUND), name


def test_files_import_each_other_in_one_direction():
    known = {path.with_suffix("").parts: path for path in modules()}
    graph = {}
    for path, tree in modules().items():
        found = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dhns."):
                parts = tuple(node.module.split(".")[1:])
                found |= {parts, *((*parts, alias.name) for alias in node.names)}
        graph[path] = {known[parts] for parts in found if parts in known} - {path}
    done, walked = set(), []

    def walk(path):
        assert path not in walked, f"a circle: {[str(step) for step in walked[walked.index(path) :]]}"
        if path not in done:
            walked.append(path)
            for other in graph[path]:
                walk(other)
            done.add(walked.pop())

    for path in graph:
        walk(path)


def test_no_guard_hides_an_import_within_a_floor():
    """Under TYPE_CHECKING stand heavy imports that a quick command must not pay for, none that would be a circle."""
    for path, tree in modules().items():
        conditions = (node for node in ast.walk(tree) if isinstance(node, ast.If))
        guarded = (node for node in conditions if "TYPE_CHECKING" in ast.unparse(node.test))
        for node in guarded:
            for target in imports(node):
                assert HEIGHT.get(target[0], -1) <= HEIGHT.get(path.parts[0].removesuffix(".py"), len(FLOORS)), path


def test_private_names_of_other_packages_stand_in_one_module():
    """A name with an underscore before it is promised to nobody; `dhns.compat` has a test for each."""
    own = {"_replace", "_fields", "_asdict", "_exit"}  # of named tuples, and of os
    found = []
    for path, tree in modules().items():
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith("dhns"):
                parts = [*node.module.split("."), *(alias.name for alias in node.names)]
                found += [(path, part) for part in parts if part.startswith("_") and not part.startswith("__")]
            if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
                of_this = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "case")
                if not (of_this or "super()" in ast.unparse(node) or node.attr in own | defined):
                    found.append((path, ast.unparse(node)))
    assert {path for path, _ in found} == {Path("compat.py")}, found
