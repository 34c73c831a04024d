"""What a tracking service or file format has to offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = dict[str, NDArray[np.float32]]
"""1-d finite values by name."""
Row = Sequence[str | int | float]


class Backend(ABC):
    """Receives what a run shows. `Tracker` calls one method at a time, in one thread; each may block or raise."""

    @abstractmethod
    def open(self) -> None:
        """Connect, or make files; called before anything else."""

    @abstractmethod
    def settings(self, settings: dict[str, Any]) -> None:
        """Settings of the run and fingerprints of its data: a nested dictionary of plain values."""

    @abstractmethod
    def metrics(self, values: dict[str, float], step: int | None) -> None:
        """One point of some curves; steps are batches, and never fall."""

    @abstractmethod
    def histograms(self, samples: Samples, step: int) -> None:
        """Distributions."""

    @abstractmethod
    def table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        """A table; one of the same name replaces an older one, or stands beside it with its step."""

    @abstractmethod
    def summary(self, values: dict[str, float]) -> None:
        """The numbers that stand for the run as a whole."""

    @abstractmethod
    def close(self, failed: bool) -> None:
        """Finish what was begun; called once, even where `open` has failed."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of what would hold up the end of the program; called beside a `close` that hangs."""
