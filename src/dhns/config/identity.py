"""The identity of a run: a hash of what its settings mean and of the content of the files that it reads."""

from __future__ import annotations

import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.config.foreign_source import source_digest
from dhns.config.renamed import former_keys, former_target, present_settings
from dhns.config.signatures import written
from dhns.config.starting_points import to_resume, to_use
from dhns.files import known_sha256
from dhns.graph.inputs import changed_content

RESULT_VERSION = 1
"""Raised when a change of the program changes numbers, so that old results are not mistaken for new ones."""
IGNORED = frozenset(
    {"hydra", "paths", "logger", "progress", "run_dir", "force", "seed", "cell", "content", "keep_data"}
    | {"download", "mirror"}
)
"""Settings that do not change a run's numbers, and the seed, which names a folder of its own."""
IGNORED_OF_TRAINER = frozenset({"accelerator", "devices", "num_nodes", "strategy", "log_every_n_steps"})
BUDGET = frozenset({"budget", "budgets", "epochs", "validations", "valid_triples"})
"""Settings that matter only through those that they set, `SET_BY_BUDGET`; the last three are of older results."""
NEUTRAL = {
    "missing": {},
    "own_entity": False,
    "resume": None,
    "init_from": None,
    "dataset.header": "auto",
    "dataset.columns": "auto",
    "dataset.normalize": False,
    "protocol.in_train_and_test": "keep",
    "protocol.carve": "pair",
    "encoder.absent": "mask",
    "generator.every": 1,
    "generator.model.int8": False,
    "acceleration": {
        "_target_": "dhns.training.acceleration.Acceleration",
        "matmul_precision": "highest",
        "compile": False,
    },
}
"""Settings younger than stored results, and the values at which they change nothing: there the hash leaves them out."""
NOT_CARVED = frozenset({"MKG-W", "MKG-Y", "world_flags"})
"""Published data sets whose validation set is a hold-out: how another would be carved changes nothing."""
SET_BY_BUDGET = ("trainer.max_epochs", "trainer.check_val_every_n_epoch", "data.valid_triples", "stopping.patience")
_NUMBERS = ("generator.weight", "generator.levels")
"""Nodes that hold real numbers and no ``_target_`` to tell so."""


def config_hash(config: DictConfig) -> str:
    """Eight hexadecimal digits of the SHA-256 of all settings that change a run's numbers, and of the data.

    Settings count by what they mean: 9 is 9.0 where a real number is expected, and files count by their content, not by
    where they lie. Published data sets as they were published, and settings from before this rule, have the hash that
    they always had: interpolations enter as written, but what a budget sets as the number that it comes to.
    """
    settings = present_settings(OmegaConf.to_container(config, resolve=False))  # type: ignore[arg-type]
    content = content_of(config)
    settings = {key: value for key, value in settings.items() if key not in IGNORED | BUDGET}
    for key in SET_BY_BUDGET:
        group, name = key.split(".")
        if name in settings.get(group, {}):
            settings[group][name] = OmegaConf.select(config, key)
    trainer = settings.get("trainer") or {}
    settings["trainer"] = {
        key: value
        for key, value in trainer.items()
        if key not in IGNORED_OF_TRAINER and not str(key).startswith("enable_")
    }
    if not _may_be_carved(settings, content):
        settings.get("protocol", {}).pop("carve", None)
    for key, value in NEUTRAL.items():
        holder, name = _holder(settings, key)
        if name in holder and holder[name] == value:
            del holder[name]
    for key in _NUMBERS:
        holder, name = _holder(settings, key)
        if name in holder:
            holder[name] = _reals(holder[name])
    settings = former_keys(_by_meaning(settings))
    for key in ("resume", "init_from"):
        if key in settings:
            settings[key] = content.pop(key, None)
    if settings.get("dataset"):
        settings["dataset"] = _dataset(settings["dataset"], content)
    text = json.dumps([RESULT_VERSION, settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def content_of(config: DictConfig) -> dict[str, str]:
    """SHA-256 of the files that a run reads, by role; of those alone that are not as published.

    A stored configuration says it itself (``content``); where one does not, the data were as published.
    """
    if "content" in config:
        return dict(config.content)
    if "paths" not in config:
        return {}
    dataset: Any = OmegaConf.to_container(config.dataset, resolve=True, throw_on_missing=False)
    return changed_content(dataset, Path(config.paths.outputs)) | _checkpoints(config)


def _checkpoints(config: DictConfig) -> dict[str, str]:
    """SHA-256 of the checkpoints that training starts from."""
    named = {"resume": (config.get("resume"), to_resume), "init_from": (config.get("init_from"), to_use)}
    found = {key: find(Path(run)) for key, (run, find) in named.items() if run}
    return {key: known_sha256(path) for key, path in found.items() if path}


def _may_be_carved(settings: Mapping[str, Any], content: Mapping[str, str]) -> bool:
    """Whether a validation set may be taken out of train; not told from the data, which may be large."""
    if (settings.get("protocol") or {}).get("validation") == "published":
        return False
    as_published = not content.keys() & {"train", "valid", "test", "triples"}
    return not (as_published and (settings.get("dataset") or {}).get("name") in NOT_CARVED)


def _dataset(dataset: dict[str, Any], content: Mapping[str, str]) -> dict[str, Any]:
    """The node without the places of files whose content is known."""
    modalities = {name: _modality(source) for name, source in (dataset.get("modalities") or {}).items() if source}
    if not content:
        return dataset | {"modalities": modalities}
    for name in modalities.keys() & {role.removeprefix("modality/") for role in content}:
        modalities[name] = {**modalities[name], "path": None} if isinstance(modalities[name], dict) else None
    elsewhere = {key: value for key, value in dataset.items() if key not in ("folder", "path")}
    return elsewhere | {"modalities": modalities, "content": dict(content)}


def _modality(source: Any) -> Any:
    """A file, or keyword arguments where they say more than that."""
    options = dict(source) if isinstance(source, Mapping) else {"path": source}
    if options.get("missing", "index") == "index":
        options.pop("missing", None)
    if options.get("path"):
        options["path"] = Path(options["path"]).as_posix()
    return options["path"] if options.keys() == {"path"} else options


def _by_meaning(node: Any) -> Any:
    """Numbers as what their argument takes, and classes from elsewhere by what their file holds."""
    if isinstance(node, list):
        return [_by_meaning(child) for child in node]
    if not isinstance(node, dict):
        return node
    node = {key: _by_meaning(value) for key, value in node.items()}
    target = node.get("_target_")
    if not isinstance(target, str):
        return node
    if target.startswith("torch.optim.") and not target.startswith("torch.optim.lr_scheduler."):
        return {key: _reals(value) for key, value in node.items()}
    if target.startswith(("dhns.", "torch.", "pytorch_lightning.")):
        signature = written(target)
        hints = signature.hints if signature else {}
        node = {key: _reals(value) if _is_real(hints.get(key)) else value for key, value in node.items()}
        return node | {"_target_": former_target(target)}
    source = source_digest(target)
    return node | ({"_source_": source} if source else {})


def _is_real(hint: Any) -> bool:
    if typing.get_origin(hint) in (typing.Union, types.UnionType, typing.Annotated):
        return any(map(_is_real, typing.get_args(hint)))
    return hint is float


def _reals(value: Any) -> Any:
    """The same with every integer as a real number."""
    if isinstance(value, list):
        return [_reals(child) for child in value]
    if isinstance(value, dict):
        return {key: _reals(child) for key, child in value.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _holder(settings: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The dictionary that holds a dotted key, an empty one where there is none, and the last part of the key."""
    *groups, name = key.split(".")
    return functools.reduce(lambda node, group: node.get(group) or {}, groups, settings), name
