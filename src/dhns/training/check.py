"""Settings are compared with the signatures of what they configure, before anything is loaded or trained."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

from dhns.config.own_settings import check_own
from dhns.config.signatures import Signature, imported, written
from dhns.config.trainer_settings import REFUSED, TrainerSettings
from dhns.config.values import check_leaves, check_value
from dhns.errors import InputError
from dhns.ranges import NotNegative, Positive

_SPECIAL = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_"})
_SWITCHES = frozenset({"_partial_", "_recursive_"})
_ABSENT = object()
_TRAINER = get_type_hints(TrainerSettings, include_extras=True)
_BUILT = (
    "scorer", "negatives", "loss", "regularizer", "generator", "optimization", "acceleration", "protocol", "features",
    "missing",
)  # fmt: skip
"""Groups whose nodes make objects of their values alone, unless they are partial: those need the graph."""
_NEEDED = frozenset({"protocol", "scorer", "encoder", "loss", "optimization", "image_encoder", "text_encoder"})
_OF_OPTIMIZERS = {"lr": Positive, "weight_decay": NotNegative, "eps": NotNegative, "momentum": NotNegative}
"""Ranges that torch does not declare."""
_EMPTY = {
    "negatives": "negatives=all draws nothing",
    "missing": "missing=none takes nothing away",
    "features": "features says which files are read, or takes a control (shuffled, random)",
    "regularizer": "regularizer=none adds nothing",
    "logger": "logger=none writes nothing",
}
"""What the empty file of a group does."""


def check_settings(config: DictConfig) -> None:
    """Check names and values of all settings, as far as they tell without the data.

    Raises:
        InputError: a ``_target_`` cannot be imported or has no argument of that name, a value is not what the
            annotation of its argument admits (a number of a range, a switch, one of some words), or the object that
            is made of it refuses it.
    """
    check_own(config)  # first, as others are made of them
    plain = OmegaConf.to_container(config, resolve=False)
    assert isinstance(plain, dict)
    containers = [str(name) for name, value in plain.items() if isinstance(value, dict | list) and name != "hydra"]
    nodes = {name: _plain(config[name]) for name in containers}
    for name, node in nodes.items():
        check_leaves(name, node)
    for key, value in plain.items():
        if not isinstance(value, dict | list):
            check_leaves(str(key), value)
    if trainer := nodes.get("trainer"):
        _check_trainer(trainer, nodes)
    # what the source tells is told before anything is imported
    for look_up in (written, _import):
        for name, node in nodes.items():
            _check_node(name, node, look_up)
    for name, node in nodes.items():
        _check_choice(name, node)
    if (columns := (nodes.get("dataset") or {}).get("columns")) not in (None, "auto"):
        from dhns.graph.readers.columns import parse_columns

        parse_columns(columns)
    if nodes.get("generator"):
        _check_generator(config)
    for name in _BUILT:
        _build(name, nodes.get(name))
    if trainer:
        from dhns.training.trainer import make_trainer

        validated = OmegaConf.select(config, "protocol.select") != "last_epoch"
        make_trainer(trainer, validated, logger=False, enable_checkpointing=False, enable_progress_bar=False)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _check_trainer(settings: Mapping[str, Any], nodes: Mapping[str, Any]) -> None:
    for name in settings:
        if name in REFUSED:
            raise InputError(f"trainer.{name} cannot be set: {REFUSED[name]}")
    _check_call("trainer", Signature("Trainer", list(_TRAINER), False, _TRAINER), settings)
    for name in ("max_epochs", "check_val_every_n_epoch"):
        if name not in settings:
            raise InputError(f"trainer.{name} is not given; add trainer.{name}=NUMBER")
    if isinstance(settings.get("strategy"), dict) and (nodes.get("optimization") or {}).get("sparse"):
        raise InputError("trainer=ddp averages whole gradients, and optimization.sparse=true has others; leave one out")


def _check_choice(name: str, node: Any) -> None:
    """Refuse a node without a target where one is needed, or where it would go unseen."""
    if not isinstance(node, dict) or "_target_" in node:
        return
    if node and name in _EMPTY:
        raise InputError(
            f"{_EMPTY[name]}, so {name}.{next(iter(node))} means nothing; leave it out, or choose another {name}"
        )
    if name in _NEEDED:
        raise InputError(f"{name} has no _target_; choose one of the files of conf/{name}")


def _check_generator(config: DictConfig) -> None:
    from dhns.generators.levels import HardnessLevel

    ablated, generator = config.get("ablated"), config.generator
    if not OmegaConf.select(config, "generator.model._target_"):
        raise InputError(
            f"ablation={ablated} changes a generator, and generator=none has none; choose another of the two"
        )
    if ablated == "no_diffheg" or (ablated == "gaussian" and generator.name != "gaussian"):
        raise InputError(
            f"ablation={ablated} chooses the generator itself, but generator={generator.name} is given; leave it out"
        )
    for part in ("loss", "optimization"):
        if part in generator and OmegaConf.select(generator, f"{part}._target_") is None:
            raise InputError(f"generator.{part} has no _target_; choose one of the files of conf/generator")
    joins = str(OmegaConf.select(generator, "loss._target_")).endswith(".PartitionLoss")
    if joins and not str(OmegaConf.select(config, "loss._target_")).endswith(".SoftmaxLoss"):
        raise InputError(
            f"generator={generator.name} puts negatives among the candidates of a softmax: add loss=softmax "
            "negatives=all, or choose another generator"
        )
    if not generator.levels:
        raise InputError("generator.levels is empty; generator=none trains without generated negatives")
    for index, level in enumerate(generator.levels):
        _check_call(f"generator.levels[{index}]", imported(HardnessLevel), level)


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
        for name in sorted(_SWITCHES & node.keys()):
            check_value(f"{key}.{name}", node[name], bool)
        if signature is not None:
            if node["_target_"].startswith("torch.optim.") or signature.name == "LazyAdam":
                signature = signature._replace(hints=signature.hints | _OF_OPTIMIZERS)
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
            check_value(f"{key}.{name}", value, signature.hints[name])


def _build(key: str, node: Any) -> None:
    """Make what a complete node describes, for what its constructor has to say."""
    if isinstance(node, list):
        for index, child in enumerate(node):
            _build(f"{key}[{index}]", child)
    if not isinstance(node, dict):
        return
    if "_target_" not in node or node.get("_partial_"):
        for name, child in node.items():
            _build(f"{key}.{name}", child)
        return
    try:
        instantiate(node)
    except Exception as error:
        cause: BaseException = error
        while not isinstance(cause, InputError) and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, InputError):
            raise InputError(str(cause)) from error
        raise InputError(f"{key} does not work: {cause}") from error
