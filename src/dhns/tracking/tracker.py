"""A logger that cannot end or hold up the run that it watches."""

from __future__ import annotations

import logging
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from queue import SimpleQueue
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from dhns.errors import InputError
from dhns.ranges import NotNegative
from dhns.tracking.backend import Backend, Row, Samples

log = logging.getLogger(__name__)


class Tracker(Logger):
    """Hands what is logged to a backend in a thread of its own.

    The run waits for it only at its end, and no longer than ``patience``. The first error of the backend is told in one
    line and switches it off; nothing is raised.

    Args:
        backend: where it goes.
        patience: seconds to wait at the end of a run for what the backend has not done yet.
    """

    def __init__(self, backend: Backend, patience: NotNegative = 60.0) -> None:
        super().__init__()
        self.backend = backend
        self.patience = patience
        self.broken = False
        self._failed = False
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return TrackerElsewhere, (self.backend, self.patience)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(failed=kind is not None)

    @property
    def name(self) -> str:
        return type(self.backend).__name__

    @property
    def version(self) -> None:
        return None

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        settings = vars(params) if isinstance(params, Namespace) else params
        self._later(partial(self.backend.settings, dict(settings)))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        self._later(partial(self.backend.metrics, dict(metrics), step))

    @rank_zero_only
    def log_histograms(self, samples: Samples, step: int) -> None:
        """Distributions by name."""
        self._later(partial(self.backend.histograms, samples, step))

    @rank_zero_only
    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Row], step: int) -> None:
        """A table of words and numbers."""
        self._later(partial(self.backend.table, name, columns, rows, step))

    @rank_zero_only
    def log_summary(self, values: Mapping[str, float]) -> None:
        """The numbers that stand for the run as a whole."""
        self._later(partial(self.backend.summary, dict(values)))

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Take an error for one of tracking, and not of the run."""
        try:
            yield
        except Exception as error:
            if not self.broken:
                reason = " ".join(str(error).split())[:300]
                log.warning(
                    "tracking with %s has failed and is off from here on; the run goes on (%s: %s)",
                    self.name, type(error).__name__, reason,
                )  # fmt: skip
            self.broken = True

    def close(self, failed: bool = False) -> None:
        """Let the backend finish, for ``patience`` at most."""
        if self._thread is None:
            return
        self._failed = failed
        self._calls.put(None)
        self._thread.join(self.patience)
        if self._thread.is_alive():
            log.warning("tracking with %s has not ended after %g s; the run ends without it", self.name, self.patience)
            self.broken = True
            letting_go = threading.Thread(target=self.backend.abandon, name="tracking ends", daemon=True)
            letting_go.start()
            letting_go.join(1.0)
        self._thread = None

    def _later(self, call: Callable[[], None]) -> None:
        if self._thread is None:  # started by the first call: a process that logs nothing has none
            self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
            self._thread.start()
        self._calls.put(call)

    def _work(self) -> None:
        with self.guard():
            self.backend.open()
        while (call := self._calls.get()) is not None:
            if not self.broken:
                with self.guard():
                    call()
        with self.guard():
            self.backend.close(self._failed)


class TrackerElsewhere(Tracker):
    """What becomes of a tracker in a process that is there for the training alone: it ends with that."""

    def finalize(self, status: str) -> None:
        self.close(failed=status != "success")


def open_tracker(node: DictConfig) -> AbstractContextManager[Tracker | None]:
    """The tracker that the ``logger`` group configures; None where the group is empty.

    Raises:
        InputError: a package is missing, or what is configured is no tracker.
    """
    tracker = instantiate(node) if node else nullcontext()
    if isinstance(tracker, Tracker | nullcontext):
        return tracker
    raise InputError(
        f"logger._target_ is {type(tracker).__name__}; loggers of Lightning go into logger.backend.logger of a "
        "dhns.tracking.tracker.Tracker with dhns.tracking.lightning_loggers.LightningBackend as its backend"
    )
