"""What this project uses of other packages that they do not document: here alone, each with a test of its own.

Names are imported when they are first used, as some take seconds. Where a new version of a package has moved one,
`tests/test_compat.py` says which.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.utils import JobReturn
    from pytorch_lightning.strategies.launchers.multiprocessing import _MultiProcessingLauncher as SpawningLauncher
    from torch import Tensor
    from torch._dynamo.exc import FailOnRecompileLimitHit as CompiledTooOften
    from torch._dynamo.exc import TorchDynamoException as CompilerFailure

__all__ = ["BasicSweeper", "CompiledTooOften", "CompilerFailure", "SpawningLauncher"]

_HOMES = {
    # splits choices into jobs
    "BasicSweeper": ("hydra._internal.core_plugins.basic_sweeper", "BasicSweeper"),
    # what torch.compile raises where a function has met more sizes than it keeps code for; a plain exception
    "CompiledTooOften": ("torch._dynamo.exc", "FailOnRecompileLimitHit"),
    # what torch.compile raises where it does not work; torch.compiler names no such class
    "CompilerFailure": ("torch._dynamo.exc", "TorchDynamoException"),
    # what starts the processes of one training, and can end them
    "SpawningLauncher": ("pytorch_lightning.strategies.launchers.multiprocessing", "_MultiProcessingLauncher"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dhns.compat' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)


def product_of_int8(left: Tensor, right: Tensor) -> Tensor:
    """``(N, M)`` int32 product of int8 matrices ``(N, D)`` and ``(D, M)``.

    Raises:
        RuntimeError: this machine, or these sizes, have none.
    """
    import torch

    product: Tensor = torch._int_mm(left, right)
    return product


def rows_and_values(sparse: Tensor) -> tuple[Tensor, Tensor]:
    """``(n,)`` rows and ``(n, ...)`` values of a sparse tensor as it is, in any order; its own would coalesce it."""
    return sparse._indices()[0], sparse._values()


def keep_compiled_graphs() -> None:
    """Have compiled functions keep what they saved for backward, so that one graph can be gone through twice."""
    from torch._functorch import config

    config.donated_buffer = False


def failure_of(job: JobReturn) -> str:
    """Why a job of a sweep failed; the public property prints its exception and raises it."""
    return str(job._return_value)


@contextmanager
def composing_once() -> Iterator[None]:
    """Within it `hydra.main` composes a command's settings once.

    It would compose them beforehand to look up ``hydra.mode``, which no file of ours sets: a fifth of a second at each
    start. It still does where an argument or a folder of one's own could set it.
    """
    from hydra._internal.hydra import Hydra

    look_up = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        own_files = any(argument.startswith(("--config-dir", "-cd")) for argument in sys.argv[1:])
        if own_files or any("hydra" in override for override in overrides):
            return look_up(self, config_name, overrides)
        return None

    Hydra.get_mode = get_mode  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = look_up  # type: ignore[method-assign]


@contextmanager
def own_hydra() -> Iterator[None]:
    """Within it Hydra is not initialised; at its end it is as it was, for a program that is a Hydra app itself."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.singleton import Singleton

    state = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        Singleton.set_state(state)
