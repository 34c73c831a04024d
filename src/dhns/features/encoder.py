"""The contract of feature encoders: pretrained models that turn images or texts into vectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from torch import Tensor


class FeatureEncoder(ABC):
    """A frozen, pretrained model."""

    @property
    @abstractmethod
    def description(self) -> dict[str, Any]:
        """What decides the vectors: name, SHA-256 of the weights, settings, versions; no folder of the machine."""

    @abstractmethod
    def encode(self, items: Sequence[Any]) -> Tensor:
        """``(n, dim)`` float32 on the processor, one row for each of n images (Pillow's, RGBA) or texts."""


def package_versions(*packages: str) -> list[str]:
    """Names with versions; builds of one version for other devices count as the same."""
    return [f"{package} {version(package).split('+')[0]}" for package in packages]
