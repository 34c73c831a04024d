"""The contract of feature encoders: pretrained models that turn images or texts into vectors."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from torch import Tensor

from dhns.errors import InputError


class FeatureEncoder(ABC):
    """A frozen, pretrained model."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What decides the vectors: name, SHA-256 of the weights, settings, versions; no folder of the machine."""

    @abstractmethod
    def encode(self, items: Sequence[Any]) -> Tensor:
        """``(n, dim)`` float32 on the processor, one row for each of n images (Pillow's, RGBA) or texts."""


def optional(module: str, extra: str) -> Any:
    """A module of an optional package.

    Raises:
        InputError: it is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(f"{module} cannot be imported ({error}); pip install 'dhns[{extra}]' brings it") from error


def package_versions(*packages: str) -> list[str]:
    """Names with versions; builds of one version for other devices count as the same."""
    return [f"{package} {version(package).split('+')[0]}" for package in packages]
