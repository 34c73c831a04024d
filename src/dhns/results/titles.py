"""What runs are called in tables: enough to tell them apart, and to run them again."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.identity import BUDGET, IGNORED, IGNORED_OF_TRAINER, NEUTRAL, SET_BY_BUDGET
from dhns.resources import conf_dir

PARTS = ("encoder", "loss", "regularizer")
"""Groups of the configuration that a title names where they are not those of the system."""
SHOWN = 2
"""Settings that a title lists; of the others it gives the number."""


def title(result: Mapping[str, Any]) -> str:
    """The `name` of a run, and the short hash of its settings."""
    return f"{name(result)} #{result['config_hash']}"


def name(result: Mapping[str, Any]) -> str:
    """System, scorer, parts that are not the system's own, generator, ablation, what was done to the features."""
    config, system = result["config"], result["system"]
    if "members" in config:  # a blend is named by them
        return str(system)
    scorer = _class_name(config.get("scorer"))
    parts = [system] if system.lower() == scorer.lower() else [system, scorer]
    own = _own_choices(system)
    choices = {group: _choice(group, config[group], own.get(group, "")) for group in PARTS if group in config}
    parts += [f"{group}={choice}" for group, choice in choices.items() if choice not in ("", own.get(group))]
    parts += (
        [_variant(config.get("generator") or {}, own.get("generator"))] if result["ablated"] != "no_diffheg" else []
    )
    parts += [result["ablated"]] if result["ablated"] != "full" else []
    if control := config.get("features"):
        parts.append(f"features={_of_some(control.get('kind') or '', control)}")
    if missing := config.get("missing"):
        parts.append(f"less {100 * (missing.get('share') or 0):g} % {taken_away(missing)}")
    if (absent := (config.get("encoder") or {}).get("absent", "mask")) != "mask":
        parts.append(f"absent={absent}")
    return " ".join(dict.fromkeys(filter(None, parts)))


def taken_away(missing: Mapping[str, Any]) -> str:
    """Who loses modalities first, and which ones if not all; empty where nothing is missing."""
    return _of_some(missing.get("strategy") or "", missing)


def _of_some(word: str, node: Mapping[str, Any]) -> str:
    """A word, and the ``modalities`` that it is said of if these are not all."""
    names = node.get("modalities") or ()
    return " ".join([word, *([f"({', '.join(map(str, names))})"] if names else [])])


def sampler(result: Mapping[str, Any]) -> str:
    """What draws the negatives; ``all`` where none are drawn, and nothing for a blend, which is of several."""
    if "members" in result["config"]:
        return ""
    return _class_name(result["config"].get("negatives")).removesuffix("Sampler").lower() or "all"


def settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """By dotted key, the settings that change numbers."""
    younger = {key: value for key, value in NEUTRAL.items() if not isinstance(value, Mapping) and "." not in key}
    plain = {key: value for key, value in config.items() if key not in IGNORED | BUDGET | {"system", "ablated"}}
    plain = younger | plain  # those that a run was stored before are at the value that changes nothing
    found = dict(_leaves(plain))
    with contextlib.suppress(OmegaConfBaseException):  # of a file that no program of ours wrote
        read = (*BUDGET, *(key.partition(".")[0] for key in SET_BY_BUDGET))
        tree = OmegaConf.create({name: config[name] for name in read if name in config})
        found |= {key: OmegaConf.select(tree, key) for key in SET_BY_BUDGET}
    return {key: value for key, value in found.items() if key.removeprefix("trainer.") not in IGNORED_OF_TRAINER}


def differences(all_settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each of several `settings`, those that all have and that are not the same in all, the most telling first."""
    keys = [key for key in all_settings[0] if all(key in own for own in all_settings)]
    variety = {key: len({_typed(own[key]) for own in all_settings}) for key in keys}
    differing = sorted((key for key in keys if variety[key] > 1), key=lambda key: -variety[key])
    rest = [f"and {len(differing) - SHOWN} more"] if len(differing) > SHOWN else []
    return [" ".join([*(f"{key}={_typed(own[key])}" for key in differing[:SHOWN]), *rest]) for own in all_settings]


def _leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        elif key == "_target_":
            yield prefix.removesuffix("."), str(value).rpartition(".")[2]
        else:
            yield f"{prefix}{key}", value


def _typed(value: Any) -> str:
    """A value as one types it."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _variant(node: Mapping[str, Any], own: str | None) -> str:
    """Of the generator; empty if it is the system's own."""
    variant = str(node.get("name", "default")) if node else "none"
    if variant == own:
        return ""
    return f"generator={variant}" if variant in ("none", "default") else variant


def _class_name(node: Any) -> str:
    return str((node or {}).get("_target_") or "").rpartition(".")[2]


@functools.cache
def _own_choices(system: str) -> dict[str, str]:
    """By group, the choice of the model of that name, or the default; empty if there is no such model."""
    files = [path for path in _files("model") if path.stem == system]
    return _choices(conf_dir() / "train.yaml") | _choices(files[0]) if files else {}


def _choices(file: Path) -> dict[str, str]:
    """What the defaults of a configuration file choose, by group."""
    found: dict[str, str] = {}
    content: Any = OmegaConf.to_container(OmegaConf.load(file), resolve=False)
    for entry in content.get("defaults", ()):
        if isinstance(entry, Mapping):
            found |= {str(group).removeprefix("override /"): str(choice) for group, choice in entry.items()}
        elif (beside := file.with_name(f"{entry}.yaml")).is_file():
            found |= _choices(beside)
    return found


def _choice(group: str, node: Mapping[str, Any] | None, own: str) -> str:
    """The file of a group that a node is most like, the system's own first; the class if there is none."""
    node = node or {}
    likeness = {
        choice: sum(node.get(key) == value for key, value in content.items())
        for choice, content in _contents(group).items()
        if content.get("_target_") == node.get("_target_")
    }
    return max(likeness, key=lambda choice: (likeness[choice], choice == own), default=_class_name(node))


@functools.cache
def _contents(group: str) -> dict[str, dict[str, Any]]:
    """By name, what the files of a group hold."""
    trees: Any = {path.stem: OmegaConf.to_container(OmegaConf.load(path), resolve=False) for path in _files(group)}
    return dict(trees)


def _files(group: str) -> list[Path]:
    return sorted((conf_dir() / group).glob("*.yaml"))
