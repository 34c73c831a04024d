"""Settings are compared with the signatures of what they configure, before anything is loaded or trained."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from dhns.commands.own_settings import OWN
from dhns.commands.signatures import Signature, imported, written
from dhns.commands.values import check_finite, check_value
from dhns.errors import InputError
from dhns.training.trainer_settings import REFUSED, TrainerSettings

_SPECIAL = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_"})
_ABSENT = object()
_BUILT = ("scorer", "negatives", "loss", "regularizer", "diffheg", "optimization", "acceleration", "protocol", "missing")
"""Groups whose nodes make objects of their values alone, unless they are partial: those need the graph."""


def check_settings(config: DictConfig) -> None:
    """Check names and values of all settings, as far as they tell without the data.

    Raises:
        InputError: a ``_target_`` cannot be imported or has no argument of that name, a value is not what the
            annotation of its argument admits (a number of a range, a switch, one of some words), or the object that
            it makes refuses it.
    """
    # first, as others are made of them
    for key, expected in OWN.items():
        if (value := OmegaConf.select(config, key, default=_ABSENT)) is not _ABSENT:
            check_value(key, _plain(value), expected)
    nodes = {name: _plain(config[name]) for name in map(str, config) if name != "hydra" and not OmegaConf.is_missing(config, name)}
    for name, node in nodes.items():
        check_finite(name, node)
    _check_trainer(nodes.get("trainer") or {})
    # what the source tells is told before anything is imported
    for look_up in (written, _import):
        for name, node in nodes.items():
            _check_node(name, node, look_up)
    for name, node in nodes.items():
        if node and name in ("negatives", "missing", "regularizer", "logger") and "_target_" not in node: ...
    if nodes.get("diffheg"):
        _check_generator(config)
    for name in _BUILT:
        _build(name, nodes.get(name))
