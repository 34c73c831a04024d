"""How a check is made of promises: each is tried, and all that are broken are told together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor

T = TypeVar("T")
Promise = Callable[[T], None]
"""A function whose docstring is the promise, and which raises an `AssertionError` that says what it saw instead."""


@contextmanager
def own_randomness() -> Iterator[None]:
    """Within it the global generator is seeded; at its end it is what it was."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def require_promises(part: str, promises: Sequence[Promise[T]], subject: Callable[[], T]) -> None:
    """Try every promise on a subject of its own.

    Args:
        part: its name and kind, for the message.
        promises: what it must keep.
        subject: makes what the promises look at; called for each.

    Raises:
        AssertionError: it breaks some; the message names each, with what was seen. Another exception of the part breaks
            the promise that met it.
    """
    broken: list[str] = []
    first: Exception | None = None
    for promise in promises:
        torch.manual_seed(0)
        try:
            promise(subject())
        except Exception as error:
            seen = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            text = " ".join((promise.__doc__ or promise.__name__).split())
            broken.append(f"- {text}\n  seen: {seen.strip()}")
            first = first or error
    if broken:
        total = f"{len(broken)} of {len(promises)}"
        raise AssertionError("\n".join([f"{part} breaks {total} promises:", *broken])) from first


def require(condition: bool, seen: str) -> None:
    """Raise `AssertionError` with what was seen unless the condition holds; unlike ``assert``, also under ``-O``."""
    if not condition:
        raise AssertionError(seen)


def require_shape(name: str, value: Tensor, shape: tuple[int, ...]) -> None:
    """Raise `AssertionError` unless a tensor is one of this shape."""
    require(isinstance(value, Tensor), f"{name} is {type(value).__name__}, no tensor")
    require(tuple(value.shape) == shape, f"{name} has shape {tuple(value.shape)}, expected {shape}")


def require_finite(name: str, value: Tensor) -> None:
    """Raise `AssertionError` unless all numbers are finite."""
    wrong = int((~value.isfinite()).sum())
    require(wrong == 0, f"{wrong} of {value.numel()} numbers of {name} are not finite")


def require_close(name: str, found: Tensor, expected: Tensor, tolerance: float = 1e-6) -> None:
    """Raise `AssertionError` unless two tensors agree in shape, and in numbers to ``tolerance``, relative above 1."""
    require_shape(name, found, tuple(expected.shape))
    require_finite(name, found)
    if found.numel() == 0:
        return
    found, expected = found.detach(), expected.detach()
    error = (found - expected).abs() / expected.abs().clamp(min=1)
    where = tuple(int(i) for i in torch.unravel_index(error.argmax(), error.shape))
    require(
        bool(error.max() <= tolerance),
        f"{name} at {list(where)} is {float(found[where]):.6g}, expected {float(expected[where]):.6g}",
    )


def require_equal(name: str, found: Tensor, expected: Tensor) -> None:
    """Raise `AssertionError` unless two tensors are equal to the last bit."""
    require_shape(name, found, tuple(expected.shape))
    require(
        torch.equal(found, expected), f"{name} differs in {int((found != expected).sum())} of {found.numel()} numbers"
    )


def require_kept(name: str, value: Tensor, dtype: torch.dtype, device: torch.device) -> None:
    """Raise `AssertionError` unless a tensor has the type and lies on the device of what it was made of."""
    require(value.dtype == dtype, f"{name} is {value.dtype}, expected {dtype}")
    require(value.device.type == device.type, f"{name} lies on {value.device}, expected {device}")
