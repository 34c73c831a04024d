"""The processes of one training that torchrun or Slurm has started, on one machine or on several.

Each runs the same command. The first one leads: it owns the run's folder, says how the training begins, ranks and
writes the result; the others train with it, and are told what it found. A run that nobody has launched so is led by its
only process. Distributed training itself is Lightning's.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import torch.distributed

from dhns.errors import InputError, ToldElsewhere
from dhns.training.launcher import launched
from dhns.training.trainer import make_trainer

PATIENCE = timedelta(days=30)
"""How long the others wait for the first process, which may have to fetch data, or to rank. Its end they notice."""
LOST = re.compile(r"connection (was )?(closed|reset|refused)|broken pipe|socket|gloo|nccl|timed? ?out", re.IGNORECASE)
_LOST = (
    "another process of this training has ended; the same command, started again on all machines, goes on from the "
    "last epoch that is complete (its message, if it had one, is in the output of its machine)"
)


class _Ended(NamedTuple):
    """The first process has ended with an error."""

    message: str


class Team:
    """The processes of a training.

    Attributes:
        rank: of this one.
        size: how many there are.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self._listening = size > 1

    @property
    def leads(self) -> bool:
        """This is the first process, or the only one."""
        return self.rank == 0

    def tell(self, word: Any) -> None:
        """Of the first process: hand something that can be pickled to all others, which `hear` it."""
        if self.size > 1:
            torch.distributed.broadcast_object_list([word], 0, group=_control())

    def hear(self) -> Any:
        """Of the others: what the first process tells next.

        Raises:
            ToldElsewhere: it has ended with an error, which it has told.
            InputError: it is gone.
        """
        words: list[Any] = [None]
        with self._noticing():
            torch.distributed.broadcast_object_list(words, 0, group=_control())
        if isinstance(words[0], _Ended):
            raise ToldElsewhere(words[0].message)
        return words[0]

    @contextmanager
    def training(self) -> Iterator[None]:
        """Within, all processes train, and none listens.

        Raises:
            InputError: one of them is gone.
        """
        self._listening = False
        with self._noticing():
            yield
        self._listening = self.size > 1

    @contextmanager
    def ending_together(self) -> Iterator[None]:
        """An error of the first process, while the others listen, ends them too."""
        try:
            yield
        except BaseException as error:
            if self.leads and self._listening:
                self.tell(_Ended(str(error)))
            raise

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            lost = isinstance(error, torch.distributed.DistError) or LOST.search(str(error))
            if self.size == 1 or isinstance(error, InputError) or not lost:
                raise
            raise InputError(_LOST) from error


@contextmanager
def team_of(settings: Mapping[str, Any]) -> Iterator[Team]:
    """The processes that train with these settings under ``trainer``, connected.

    Raises:
        InputError: several processes were started for a training of one, or the settings do not fit what was started.
    """
    place = launched()
    if place is None or "strategy" not in settings or isinstance(settings["strategy"], str):
        yield Team()
        return
    bare = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    strategy = make_trainer(settings, validated=False, **bare).strategy
    try:
        strategy.setup_environment()  # once per process: a later trainer finds it done
        _control()
    except RuntimeError as error:
        raise InputError(
            f"the {place.size} processes of this training do not find each other ({str(error).splitlines()[0]}); start "
            "the same command on every machine, with the same address of the first one (docs/clusters.md)"
        ) from error
    team = Team(*place)
    with team.ending_together():
        yield team


@functools.cache
def _control() -> Any:
    """What words go by, on the processor: ranking may take longer than an accelerator's processes wait."""
    return torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
