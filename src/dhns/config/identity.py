"""The identity of a run: a hash of what its settings mean and of the content of the files that it reads."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
import types
import typing
from collections.abc import Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.config.renamed import former_target, present_targets
from dhns.config.signatures import written
from dhns.files import known_sha256
from dhns.graph.inputs import changed_content

RESULT_VERSION = 1
"""Raised when a change of the program changes numbers, so that old results are not mistaken for new ones."""
IGNORED = frozenset(
    {"hydra", "paths", "logger", "progress", "run_dir", "force", "seed", "cell", "content", "keep_data"}
    | {"download", "mirror"}
)
"""Settings that do not change a run's numbers, and the seed, which names a folder of its own."""
IGNORED_OF_TRAINER = frozenset({"accelerator", "devices", "strategy", "log_every_n_steps"})
BUDGET = frozenset({"budget", "epochs", "validations", "valid_triples"})
"""Settings that matter only through those that they set, `SET_BY_BUDGET`."""
NEUTRAL = {
    "missing": {},
    "resume": None,
    "init_from": None,
    "dataset.header": "auto",
    "dataset.columns": "auto",
    "dataset.normalize": False,
    "protocol.in_train_and_test": "keep",
    "encoder.absent": "mask",
    "diffheg.generator.int8": False,
    "acceleration": {
        "_target_": "dhns.training.acceleration.Acceleration",
        "matmul_precision": "highest",
        "compile": False,
    },
}
"""Settings younger than stored results, and the values at which they change nothing: there the hash leaves them out."""
SET_BY_BUDGET = ("trainer.max_epochs", "trainer.check_val_every_n_epoch", "data.valid_triples")
_NUMBERS = ("diffheg.weight", "diffheg.levels")
"""Nodes that hold real numbers and no ``_target_`` to tell so."""


def config_hash(config: DictConfig) -> str:
    """Eight hexadecimal digits of the SHA-256 of all settings that change a run's numbers, and of the data.

    Settings count by what they mean: 9 is 9.0 where a real number is expected, and files count by their content, not by
    where they lie. Published data sets as they were published, and settings from before this rule, have the hash that
    they always had: interpolations enter as written, but what a budget sets as the number that it comes to.
    """
    settings: Any = OmegaConf.to_container(config, resolve=False)
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
    for key, value in NEUTRAL.items():
        holder, name = _holder(settings, key)
        if name in holder and holder[name] == value:
            del holder[name]
    for key in _NUMBERS:
        holder, name = _holder(settings, key)
        if name in holder:
            holder[name] = _reals(holder[name])
    settings = _by_meaning(present_targets(settings))
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
    return changed_content(dataset) | _checkpoints(config)


def _checkpoints(config: DictConfig) -> dict[str, str]:
    """SHA-256 of the checkpoints that training starts from."""
    digests: dict[str, str] = {}
    for key, name in (("resume", "last"), ("init_from", "best")):
        if run := config.get(key):
            places = (Path(run), *(Path(run) / folder / f"{name}.ckpt" for folder in ("checkpoints", "")))
            if path := next((path for path in places if path.is_file()), None):
                digests[key] = known_sha256(path)
    return digests


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
    source = _source_digest(target)
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


def _source_digest(target: str) -> str | None:
    """SHA-256 of the module of a class that is not ours, with the modules of its package that it imports."""
    files = _sources(target.rpartition(".")[0])
    digests = {name: known_sha256(path) for name, path in sorted(files.items())}
    if len(digests) < 2:
        return next(iter(digests.values()), None)
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _sources(module: str) -> dict[str, Path]:
    """A module, and what it imports from its own package, directly or not, by name; empty if it is not there."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or (spec := _spec(name)) is None or not (spec.origin or "").endswith(".py"):
            continue
        found[name] = Path(str(spec.origin))
        package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
        try:
            tree = ast.parse(found[name].read_bytes())
        except SyntaxError:  # told where the class is imported
            continue
        waiting += _imported(tree, package)
    return found


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Names of modules that a module of a package imports anywhere from the top-level package that it is in."""
    root = package.partition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == root)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            base = ".".join(filter(None, (above, node.module)))
            # others are not looked for: that would import them
            if base.partition(".")[0] == root and (spec := _spec(base)) is not None:
                yield base
                if spec.submodule_search_locations is not None:  # a package, of which a name may be a module
                    yield from (f"{base}.{alias.name}" for alias in node.names)


def _spec(module: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):  # refused where settings are checked
        return None


def _holder(settings: dict[str, Any], key: str) -> tuple[dict[str, Any], str]:
    """The dictionary that holds a dotted key, an empty one where there is none, and the last part of the key."""
    *groups, name = key.split(".")
    return functools.reduce(lambda node, group: node.get(group) or {}, groups, settings), name
