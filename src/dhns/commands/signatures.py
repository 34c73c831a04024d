"""What a ``_target_`` takes: read from the project's source at once, or from the imported object."""

from __future__ import annotations

import ast
import functools
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import dhns

_PLAIN = {"int": int, "float": float, "bool": bool, "str": str}


class Signature(NamedTuple):
    """The arguments of a class or a function.

    Attributes:
        name: of it.
        arguments: names.
        open_ended: takes others too.
        hints: annotations by argument, as far as they are known.
    """

    name: str
    arguments: list[str]
    open_ended: bool
    hints: dict[str, Any]


def imported(target: Callable[..., Any]) -> Signature:
    """The signature of an object."""
    parameters = inspect.signature(target).parameters
    arguments = [name for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    open_ended = any(p.kind == p.VAR_KEYWORD for p in parameters.values())
    try:
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):  # annotations of other packages may not be importable
        hints = {}
    return Signature(target.__name__, arguments, open_ended, hints)


def written(target: str) -> Signature | None:
    """The signature of an object of this project by its source alone: importing torch takes seconds.

    None where the source does not tell: other packages, inherited constructors, decorated classes.
    """
    module, _, name = target.rpartition(".")
    definition = _definitions(module).get(name) if module.startswith("dhns.") else None
    if definition is None or definition.decorator_list:
        return None
    if isinstance(definition, ast.ClassDef):
        methods = [node for node in definition.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
        if not methods:
            return None
        definition = methods[0]
    declared = definition.args
    parameters = [p for p in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs) if p.arg != "self"]
    hints = {p.arg: hint for p in parameters if (hint := _evaluated(p.annotation)) is not None}
    return Signature(name, [p.arg for p in parameters], declared.kwarg is not None, hints)


@functools.cache
def _definitions(module: str) -> dict[str, ast.ClassDef | ast.FunctionDef]:
    """Classes and functions of a module of this project; none if there is no such file."""
    path = Path(dhns.__file__).parent.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return {}
    body = ast.parse(path.read_bytes()).body
    definitions = {node.name: node for node in body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    for node in body:
        # a package offers what it imports from its modules
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{module}."):
            inner = _definitions(node.module)
            definitions |= {alias.name: inner[alias.name] for alias in node.names if alias.name in inner}
    return definitions


def _evaluated(annotation: ast.expr | None) -> Any:
    """An annotation of built-in types, None and literals; None for any other."""
    match annotation:
        case ast.Name(id=name):
            return _PLAIN.get(name)
        case ast.Constant(value=None):
            return types.NoneType
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            either, other = _evaluated(left), _evaluated(right)
            return either | other if either is not None and other is not None else None
        case ast.Subscript(value=ast.Name(id="Literal"), slice=words):
            return typing.Literal[ast.literal_eval(words)]
    return None
