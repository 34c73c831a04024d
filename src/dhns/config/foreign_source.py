"""The source of classes and functions from elsewhere, which a run's numbers depend on as on its data."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from dhns.files import known_sha256


def source_digest(target: str) -> str | None:
    """SHA-256 of the files that define an object that is not ours; None where its module is not found.

    Of a package these are all its modules. Of a module that belongs to none they are the module and what it imports
    from its own folder; what is installed for all programs counts by itself alone.
    """
    module = target.rpartition(".")[0]
    try:
        found = importlib.util.find_spec(module)
        top = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError, AttributeError):  # refused where settings are checked
        return None
    if top and top.submodule_search_locations:
        files = set(_modules(map(Path, top.submodule_search_locations)))
    elif found and found.origin and Path(found.origin).is_file():
        files = _with_imports(Path(found.origin))
    else:
        return None
    if not files:
        return None
    if len(files) == 1:
        return known_sha256(*files)
    return hashlib.sha256("\n".join(sorted(known_sha256(path) for path in files)).encode()).hexdigest()


def _modules(folders: Iterable[Path]) -> Iterator[Path]:
    return (path for folder in folders for path in folder.rglob("*.py"))


def _with_imports(module: Path) -> set[Path]:
    """A file, and those in its folder that it imports by name, and they in turn."""
    installed = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "platstdlib", "purelib", "platlib")}
    found, ahead = {module}, [] if module.parent in installed else [module]
    while ahead:
        new = set(_imported(ahead.pop())) - found
        found |= new
        ahead += new
    return found


def _imported(path: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # of a compiled module, or told when it is imported
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        for name in {name.partition(".")[0] for name in names}:
            if (package := path.parent / name).is_dir():
                yield from _modules([package])
            elif (beside := package.with_suffix(".py")).is_file():
                yield beside
