"""What a ``_target_`` takes: read from the project's source at once, or from the imported object."""

from __future__ import annotations

import ast
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import dhns
from dhns import ranges

_NAMES = {
    **{kind.__name__: kind for kind in (int, float, bool, str, Path, Sequence, Mapping)},
    **{name: kind for name, kind in vars(ranges).items() if typing.get_origin(kind) is typing.Annotated},
}


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
        hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except (NameError, TypeError):  # annotations of other packages may not be importable
        hints = {}
    return Signature(target.__name__, arguments, open_ended, hints)


def written(target: str) -> Signature | None:
    """The signature of an object of this project by its source alone: importing torch takes seconds.

    None where the source does not tell: other packages, inherited constructors, decorated classes but dataclasses.
    """
    module, _, name = target.rpartition(".")
    body = _body(module) if module.startswith("dhns.") else []
    for node in body:  # a package offers what it imports from its modules
        if isinstance(node, ast.ImportFrom) and node.module and name in (alias.name for alias in node.names):
            return written(f"{node.module}.{name}")
    definition = next((node for node in body if getattr(node, "name", None) == name), None)
    if isinstance(definition, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in definition.decorator_list):
        annotated = (node for node in definition.body if isinstance(node, ast.AnnAssign))
        fields = [(node.target.id, node.annotation) for node in annotated if isinstance(node.target, ast.Name)]
        return Signature(name, [field for field, _ in fields], False, _hints(fields, body))
    if isinstance(definition, ast.ClassDef) and not definition.decorator_list:
        methods = (node for node in definition.body if isinstance(node, ast.FunctionDef))
        definition = next((method for method in methods if method.name == "__init__"), None)
    if not isinstance(definition, ast.FunctionDef) or definition.decorator_list:
        return None
    declared = definition.args
    parameters = [p for p in (*declared.posonlyargs, *declared.args, *declared.kwonlyargs) if p.arg != "self"]
    hints = _hints([(p.arg, p.annotation) for p in parameters], body)
    return Signature(name, [p.arg for p in parameters], declared.kwarg is not None, hints)


def _hints(annotations: Iterable[tuple[str, ast.expr | None]], body: Sequence[ast.stmt]) -> dict[str, Any]:
    """What is known of some annotations of a module, which may name what it assigns."""
    assigned = (node for node in body if isinstance(node, ast.Assign))
    aliases = {target.id: node.value for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    hints = {name: _evaluated(annotation, aliases) for name, annotation in annotations}
    return {name: hint for name, hint in hints.items() if hint is not None}


@functools.cache
def _body(module: str) -> list[ast.stmt]:
    """The statements of a module of this project; none if there is no such file."""
    path = Path(dhns.__file__).parent.joinpath(*module.split(".")[1:])
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_bytes()).body if path.is_file() else []


def _evaluated(annotation: ast.expr | None, aliases: Mapping[str, ast.expr]) -> Any:
    """An annotation of built-in types, ranges, None, literals and sequences of these; None for any other."""
    match annotation:
        case ast.Name(id=name):
            return _NAMES.get(name) or _evaluated(aliases.get(name), {})
        case ast.Constant(value=None):
            return types.NoneType
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            either, other = _evaluated(left, aliases), _evaluated(right, aliases)
            return either | other if either is not None and other is not None else None
        case ast.Subscript(value=ast.Name(id="Literal"), slice=words):
            return typing.Literal[ast.literal_eval(words)]
        case ast.Subscript(value=ast.Name(id="Sequence"), slice=element):
            inner = _evaluated(element, aliases)
            return Sequence[inner] if inner is not None else None  # type: ignore[valid-type]
    return None
