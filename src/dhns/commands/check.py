"""Settings are compared with the signatures of what they configure, before anything is loaded or trained."""

from __future__ import annotations

import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from dhns.commands.signatures import Signature, imported, written
from dhns.errors import InputError

_SPECIAL = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_"})
_PLAIN: dict[str, Any] = {
    "budget": Literal["smoke", "short", "full"],
    "seed": int,
    "data.batch_size": int,
    "data.valid_triples": int | None,
    "stopping.patience": int | None,
    "reciprocal": bool,
    "force": bool,
    "progress": bool,
    "k": int,
    "batch_size": int,
    "dtype": Literal["float16", "float32"],
    "when_unreadable": Literal["stop", "skip"],
    "jobs": int,
    "render_only": bool,
    "print_jobs": bool,
}
_COUNTS = ("scorer.dim", "negatives.num_negatives", "data.batch_size")
"""At least 1, where they are given."""


def check_settings(config: DictConfig) -> None:
    """Check names and plain values of all settings.

    Raises:
        InputError: a ``_target_`` cannot be imported or has no argument of that name, or a value is not what the
            annotation of its argument admits (a number, a switch, or one of some words).
    """
    for key, expected in _PLAIN.items():
        if (value := OmegaConf.select(config, key, default=inspect.Parameter.empty)) is not inspect.Parameter.empty:
            _check_value(key, value, expected)
    nodes = {
        name: OmegaConf.to_container(config[name], resolve=True, throw_on_missing=False)
        for name in map(str, config)
        if name != "hydra" and OmegaConf.is_config(config._get_node(name))
    }
    # what the source tells is told before anything is imported
    for look_up in (written, _import):
        for name, node in nodes.items():
            _check_node(name, node, look_up)
    for key in _COUNTS:
        value = OmegaConf.select(config, key)
        if isinstance(value, int) and value < 1:
            raise InputError(f"{key} is {value}; at least 1 is needed")
    if settings := OmegaConf.select(config, "trainer"):
        import pytorch_lightning as pl

        _check_call("trainer", imported(pl.Trainer), settings)
    if (negatives := config.get("negatives")) and "_target_" not in negatives:
        raise InputError(
            f"negatives=all draws nothing, so negatives.{next(iter(negatives))} means nothing; leave it out, or choose "
            "a sampler"
        )
    if (missing := config.get("missing")) and "_target_" not in missing:
        raise InputError(
            f"missing=none takes nothing away, so missing.{next(iter(missing))} means nothing; leave it out, or choose "
            "a strategy"
        )
    if config.get("diffheg"):
        _check_generator(config)


def _check_generator(config: DictConfig) -> None:
    from dhns.diffheg.levels import HardnessLevel

    ablated, diffheg = config.get("ablated"), config.diffheg
    if not OmegaConf.select(config, "diffheg.generator._target_"):
        raise InputError(
            f"ablation={ablated} changes a generator, and diffheg=none has none; choose another of the two"
        )
    if ablated == "no_diffheg" or (ablated == "gaussian" and diffheg.name != "gaussian"):
        raise InputError(
            f"ablation={ablated} chooses diffheg itself, but diffheg={diffheg.name} is given; leave it out"
        )
    if not diffheg.levels:
        raise InputError("diffheg.levels is empty; diffheg=none trains without generated negatives")
    for index, level in enumerate(diffheg.levels):
        _check_call(f"diffheg.levels[{index}]", imported(HardnessLevel), level)


def _import(target: str) -> Signature:
    return imported(get_object(target))


def _check_node(key: str, node: Any, look_up: Callable[[str], Signature | None]) -> None:
    if isinstance(node, list):
        for index, child in enumerate(node):
            _check_node(f"{key}[{index}]", child, look_up)
    if not isinstance(node, dict):
        return
    if "_target_" in node:
        try:
            signature = look_up(node["_target_"])
        except Exception as error:  # whatever the import of a module raises
            reason = " ".join(str(error).split())
            raise InputError(f"{key}._target_ is '{node['_target_']}', which cannot be imported: {reason}") from error
        if signature is not None:
            _check_call(key, signature, {str(name): value for name, value in node.items() if name not in _SPECIAL})
    for name, child in node.items():
        _check_node(f"{key}.{name}", child, look_up)


def _check_call(key: str, signature: Signature, arguments: Mapping[Any, Any]) -> None:
    for name, value in arguments.items():
        if name not in signature.arguments and not signature.open_ended:
            near = difflib.get_close_matches(str(name), signature.arguments, n=1)
            hint = f"did you mean {key}.{near[0]}?" if near else f"there are {', '.join(signature.arguments)}"
            raise InputError(f"{key}.{name} is no setting of {signature.name}; {hint}")
        if name in signature.hints:
            _check_value(f"{key}.{name}", value, signature.hints[name])


def _check_value(key: str, value: Any, expected: Any) -> None:
    """Check a plain value against a plain annotation; anything else is left to the constructor."""
    kinds = _alternatives(expected)
    if value == "???" or OmegaConf.is_config(value) or isinstance(value, list | dict):
        return
    if not all(kind in (int, float, bool, str, type(None)) or typing.get_origin(kind) is Literal for kind in kinds):
        return
    if not any(_admits(kind, value) for kind in kinds):
        words = dict.fromkeys(word for kind in kinds for word in _words(kind))
        shown = {None: "null", True: "true", False: "false"}.get(value, repr(value))
        raise InputError(f"{key} is {shown}; expected {', '.join(words)}")


def _alternatives(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _alternatives(part)]
    return [annotation]


def _admits(kind: Any, value: Any) -> bool:
    if typing.get_origin(kind) is Literal:
        return value in typing.get_args(kind)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _words(kind: Any) -> list[str]:
    if typing.get_origin(kind) is Literal:
        return [str(word) for word in typing.get_args(kind)]
    return [{int: "an integer", float: "a number", bool: "true or false", str: "a text"}.get(kind, "null")]
