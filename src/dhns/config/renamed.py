"""Settings and modules under names that they had, which stored settings still use."""

from __future__ import annotations

from typing import Any

_FORMER = {
    "dhns.generators.adversarial": "dhns.diffheg.adversarial",
    "dhns.generators.diffheg.denoiser": "dhns.diffheg.denoiser",
    "dhns.generators.diffheg.generator": "dhns.diffheg.generator",
    "dhns.generators.diffheg.schedule": "dhns.diffheg.schedule",
    "dhns.generators.gaussian": "dhns.diffheg.gaussian",
    "dhns.generators.hardness_adaptive": "dhns.losses.hardness_adaptive",
    "dhns.optim.lazy_adam": "dhns.training.lazy_adam",
    "dhns.optim.optimization": "dhns.training.optimization",
}
_OF_BUDGETS = ("epochs", "validations", "valid_triples")
"""Were maps by budget each. Stored settings keep them: they refer to each other, and count as what they come to."""
_PRESENT = {former: present for present, former in _FORMER.items()}
_FORMER_OBJECTS = {"dhns.generators.diffheg.settings.diffheg": "dhns.generators.diffheg.generator.DiffHEG"}
"""Objects that have other names than they had in the module of today."""
_PRESENT_OBJECTS = {former: present for present, former in _FORMER_OBJECTS.items()}
_GENERATOR = ("diffheg", "generator"), ("generator", "model")
"""The group of generators and, in it, the object that generates: what they were called, and what they are called."""


def former_target(target: str) -> str:
    """A ``_target_`` as results were first stored with it, by which runs are known."""
    module, _, name = _FORMER_OBJECTS.get(target, target).rpartition(".")
    return f"{_FORMER.get(module, module)}.{name}"


def former_keys(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of today under the keys with which results were first stored, by which runs are known."""
    (former, present), (former_inner, inner) = _GENERATOR
    return _moved(settings, {present: former}, {inner: former_inner})


def present_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Stored settings, as plain containers, whose keys and ``_target_`` nodes have the names of today."""
    settings = {key: _present_targets(value) for key, value in settings.items()}
    (former, present), (former_inner, inner) = _GENERATOR
    return _moved(settings, {former: present}, {former_inner: inner}) if former in settings else settings


def key_of_today(key: str) -> str | None:
    """What a dotted key, or a group of choices, is called that was renamed; None for any other."""
    (former, present), (former_inner, inner) = _GENERATOR
    group, *rest = key.split(".")
    if group in _OF_BUDGETS:
        return f"budgets.{rest[0] if rest else 'NAME'}.{group}"
    if group != former:
        return None
    return ".".join([present, *([inner, *rest[1:]] if rest[:1] == [former_inner] else rest)])


def _moved(settings: dict[str, Any], groups: dict[str, str], inner: dict[str, str]) -> dict[str, Any]:
    """The same with some groups renamed, and some keys in them."""
    return {
        groups.get(group, group): {inner.get(key, key): value for key, value in node.items()}
        if group in groups and isinstance(node, dict)
        else node
        for group, node in settings.items()
    }


def _present_targets(settings: Any) -> Any:
    if isinstance(settings, list):
        return [_present_targets(child) for child in settings]
    if not isinstance(settings, dict):
        return settings
    settings = {key: _present_targets(value) for key, value in settings.items()}
    target = settings.get("_target_")
    if isinstance(target, str) and "." in target:
        module, _, name = target.rpartition(".")
        present = f"{_PRESENT.get(module, module)}.{name}"
        settings["_target_"] = _PRESENT_OBJECTS.get(present, present)
    return settings
