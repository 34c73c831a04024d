"""A value of a setting against the annotation of what takes it."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from dhns.errors import InputError
from dhns.ranges import LARGEST_FLOAT

_BOUNDS: dict[type, tuple[str, str, Callable[[Any, Any], bool]]] = {
    Ge: ("ge", "at least", lambda value, bound: value >= bound),
    Gt: ("gt", "above", lambda value, bound: value > bound),
    Le: ("le", "at most", lambda value, bound: value <= bound),
    Lt: ("lt", "below", lambda value, bound: value < bound),
}
_SHOWN = 80  # characters of a value in a message
_WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "a text", Path: "a text"}


def check_value(key: str, value: Any, annotation: Any) -> None:
    """Check a value of a configuration.

    Raises:
        InputError: it is of another kind than the annotation admits, or out of its range; the message says which is.
    """
    if value == "???":
        return
    kinds = list(alternatives(annotation))
    for kind in kinds:
        if _admits(kind, value):
            for part, child in _children(value):
                check_value(f"{key}{part}", child, _of_children(kind))
            return
    if bounds := [bound for kind in kinds if _admits(_base(kind), value) for bound in _violated(kind, value)]:
        raise InputError(f"{key} is {_shown(value)}; {' and '.join(bounds)} is needed")
    words = dict.fromkeys(word for kind in kinds for word in _words(kind))
    raise InputError(f"{key} is {_shown(value)}; expected {', '.join(words)}")


def plain(value: Any) -> Any:
    """A number of NumPy as one of Python."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def check_leaves(key: str, value: Any) -> None:
    """Refuse what no setting takes, anywhere in a node of a configuration.

    Raises:
        InputError: a number is NaN or infinite, or so in single precision, or an argument of an object holds ``${``,
            which Hydra reads again when it makes the object.
    """
    for name, leaf, is_argument in _leaves(key, value, False):
        if isinstance(leaf, float) and not math.isfinite(leaf):
            raise InputError(f"{name} is {leaf}; expected a finite number")
        if isinstance(leaf, int | float) and abs(leaf) > LARGEST_FLOAT:
            raise InputError(f"{name} is {_shortened(leaf)}; at most {LARGEST_FLOAT:.3g} is a number for a model")
        if is_argument and isinstance(leaf, str) and "${" in leaf:
            raise InputError(f"{name} is {leaf!r}; Hydra would read what follows ${{, so choose a name without it")


def _leaves(key: str, value: Any, is_argument: bool) -> Iterator[tuple[str, Any, bool]]:
    if not isinstance(value, list | dict):
        yield key, value, is_argument
    for part, child in _children(value):
        yield from _leaves(f"{key}{part}", child, is_argument or "_target_" in value)


def alternatives(annotation: Any) -> Iterator[Any]:
    """The kinds that an annotation admits one of."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from alternatives(part)
    else:
        yield annotation


def _admits(kind: Any, value: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        return _admits(arguments[0], value) and not any(_violated(kind, value))
    if origin is Literal:
        return any(value == word and type(value) is type(word) for word in arguments)
    if _is_sequence(kind):
        return isinstance(value, list)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (str, Path):
        return isinstance(value, str)
    if kind in (bool, types.NoneType):
        return isinstance(value, kind)
    # what only an object can be is described by a mapping, or left to whoever takes it
    return isinstance(value, dict) or not _is_own(kind)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a value, each with what leads to it."""
    if isinstance(value, list):
        yield from ((f"[{index}]", child) for index, child in enumerate(value))
    elif isinstance(value, dict):
        yield from ((f".{name}", child) for name, child in value.items())


def _of_children(kind: Any) -> Any:
    """The annotation of the parts of a list or a mapping; of nothing in particular where it does not say."""
    arguments = tuple(argument for argument in typing.get_args(kind) if argument is not Ellipsis)
    if _is_sequence(kind) and arguments:
        return typing.Union[arguments]  # noqa: UP007  # of as many as there are
    return arguments[1] if typing.get_origin(kind) is Mapping else Any


def _is_sequence(kind: Any) -> bool:
    return (typing.get_origin(kind) or kind) in (Sequence, list, tuple)


def _is_own(kind: Any) -> bool:
    """Whether it is a class of this project or of torch, a function or a mapping: no plain value is one."""
    origin = typing.get_origin(kind) or kind
    return origin in (Callable, Mapping, dict) or getattr(kind, "__module__", "").startswith(("dhns.", "torch"))


def _base(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is Annotated else kind


def _violated(kind: Any, value: Any) -> Iterator[str]:
    """The bounds of an annotated number that a value breaks, in words."""
    for bound in getattr(kind, "__metadata__", ()):
        name, words, holds = _BOUNDS[type(bound)]
        if not holds(value, getattr(bound, name)):
            yield f"{words} {getattr(bound, name)}"


def _words(kind: Any) -> list[str]:
    if typing.get_origin(kind) is Literal:
        return [str(word) for word in typing.get_args(kind)]
    if _is_sequence(kind):
        return ["a list"]
    if kind is types.NoneType:
        return ["null"]
    return [_WORDS.get(_base(kind), "a mapping")]


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return _shortened(value)


def _shortened(value: Any) -> str:
    """A value as it was given, or its ends where it is long."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}...{text[-_SHOWN // 4 :]}"
