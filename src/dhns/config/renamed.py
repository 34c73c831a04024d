"""Modules under names that they had, which stored settings still use."""

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
_PRESENT = {former: present for present, former in _FORMER.items()}


def former_target(target: str) -> str:
    """A ``_target_`` as results were first stored with it, by which runs are known."""
    module, _, name = target.rpartition(".")
    return f"{_FORMER.get(module, module)}.{name}"


def present_targets(settings: Any) -> Any:
    """Settings, as plain containers, whose ``_target_`` nodes name the modules of today."""
    if isinstance(settings, list):
        return [present_targets(child) for child in settings]
    if not isinstance(settings, dict):
        return settings
    settings = {key: present_targets(value) for key, value in settings.items()}
    target = settings.get("_target_")
    if isinstance(target, str) and "." in target:
        module, _, name = target.rpartition(".")
        settings["_target_"] = f"{_PRESENT.get(module, module)}.{name}"
    return settings
