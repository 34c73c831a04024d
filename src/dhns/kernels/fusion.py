"""Functions whose passes over memory torch.compile fuses, where a run asks for it (`acceleration.compile`)."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch

from dhns.compat import keep_compiled_graphs
from dhns.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

# of the process and not of a context: autograd computes checkpointed parts again in threads of its own
_fusing = False


@contextmanager
def fusing(enabled: bool) -> Iterator[None]:
    """Whether `fusible` functions are compiled inside."""
    global _fusing
    before, _fusing = _fusing, enabled
    try:
        yield
    finally:
        _fusing = before


def forget_compiled() -> None:
    """Let go of what was compiled: torch keeps code for a few kinds of inputs, and another job has others."""
    if "torch._dynamo" in sys.modules:
        torch.compiler.reset()


def fusible(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, compiled inside of `fusing`: the same numbers up to rounding, each pass over memory saved.

    Raises:
        InputError: torch.compile does not work on this machine, or has compiled the function too often.
    """

    @functools.cache
    def compiled() -> Callable[P, R]:
        keep_compiled_graphs()  # the diffusion loss may go through its graph and leave it for another pass
        return torch.compile(function, fullgraph=True)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _fusing:
            return function(*args, **kwargs)
        run = compiled()
        from dhns.compat import CompiledTooOften, CompilerFailure  # take seconds to import: not before they are used

        try:
            return run(*args, **kwargs)
        except CompiledTooOften as error:
            raise InputError(
                f"torch.compile has met too many kinds of inputs of {function.__name__} in this process; start a "
                "process per run, or set acceleration.compile=false"
            ) from error
        except CompilerFailure as error:
            reason = " ".join(str(error).strip().splitlines()[:2])
            raise InputError(
                f"torch.compile does not work here ({reason}); it needs a C++ compiler on a processor and Triton on a "
                "GPU: install it, or set acceleration.compile=false"
            ) from error

    return call
