"""Functions whose passes over memory torch.compile fuses, where a run asks for it (`acceleration.compile`)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import torch

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


def fusible(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, compiled inside of `fusing`: the same numbers up to rounding, each pass over memory saved.

    Raises:
        InputError: torch.compile does not work on this machine.
    """

    @functools.cache
    def compiled() -> Callable[P, R]:
        from torch._functorch import config  # takes seconds to import: not before it is used

        # a donated buffer is gone after one backward pass; the diffusion loss may keep its graph for another
        config.donated_buffer = False
        return torch.compile(function, fullgraph=True)

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if not _fusing:
            return function(*args, **kwargs)
        run = compiled()
        from torch._dynamo.exc import TorchDynamoException

        try:
            return run(*args, **kwargs)
        except TorchDynamoException as error:
            reason = " ".join(str(error).strip().splitlines()[:2])
            raise InputError(
                f"torch.compile does not work here ({reason}); it needs a C++ compiler on a processor and Triton on a "
                "GPU: install it, or set acceleration.compile=false"
            ) from error

    return call
