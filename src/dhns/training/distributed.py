"""One training by several processes, one per device."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch.distributed
from pytorch_lightning.strategies import DDPStrategy
from torch.multiprocessing.spawn import ProcessRaisedException

from dhns.compat import SpawningLauncher
from dhns.errors import InputError
from dhns.kernels.allocator import keep_freed_memory, leave_new_memory_as_it_is
from dhns.training.launcher import launched
from dhns.training.quiet import quiet_lightning

PATIENCE = timedelta(minutes=10)
"""How long a process waits for another in a step; gloo notices at once that one is gone."""
_INPUT_ERROR = f"{InputError.__module__}.{InputError.__qualname__}: "


class DataParallel(DDPStrategy):
    """Lightning's data-parallel strategy, for a module that steps several optimizers itself.

    On one machine processes are spawned for the training alone: what comes before and after, the result file included,
    is done once. Where torchrun or Slurm has started the processes, on any number of machines, these are taken, see
    `dhns.training.team`.

    Each backward pass averages the gradients that it reached, and those alone, since L_diff reaches the denoiser and
    the loss of the model all else.

    Features, known answers and caches of negatives are buffers too, which no step may send around. Those that belong
    to the state of the training (running statistics, caches) become those of the first process, which writes the
    checkpoints, where an epoch and a validation begin: all processes rank with the same model, and a resumed training
    begins its epoch as the unbroken one did.
    """

    def __init__(self) -> None:
        # the processes would each warn that some step needed no search for parameters without gradients
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
        super().__init__(
            start_method="popen" if launched() else "spawn",
            timeout=PATIENCE,
            find_unused_parameters=True,
            broadcast_buffers=False,
        )

    def setup_environment(self) -> None:
        # in a new process
        quiet_lightning()
        keep_freed_memory()
        leave_new_memory_as_it_is()
        super().setup_environment()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if batch_idx == 0:
            self._share_buffers()

    def on_validation_start(self) -> None:
        self._share_buffers()

    def on_exception(self, exception: BaseException) -> None:
        super().on_exception(exception)
        # a request to end reaches this process alone, which would wait for the others to train to their end
        if isinstance(self.launcher, SpawningLauncher):
            self.launcher.kill(signal.SIGKILL)

    def _share_buffers(self) -> None:
        module = self.lightning_module
        assert module is not None
        kept = module.state_dict().keys()
        for name, buffer in module.named_buffers():
            if name in kept:
                torch.distributed.broadcast(buffer, 0)


@contextmanager
def told_as_here() -> Iterator[None]:
    """Raise an `InputError` of a spawned process as what it was there; torch hands over its traceback as text."""
    try:
        yield
    except ProcessRaisedException as error:
        last = str(error).rstrip().rsplit("\n", 1)[-1]
        if last.startswith(_INPUT_ERROR):
            raise InputError(last.removeprefix(_INPUT_ERROR)) from None
        raise
