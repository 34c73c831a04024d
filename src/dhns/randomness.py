"""Random streams that are pure functions of the seed, a purpose and a counter.

Nothing carries generator state from one step to the next: a resumed run draws what the unbroken run would have drawn,
and switching one consumer off (an ablation) leaves the draws of all others as they were.
"""

from __future__ import annotations

import hashlib

import torch


def derive_seed(seed: int, purpose: str, *counters: int) -> int:
    """A 63-bit seed for one purpose at one point of the run."""
    text = "/".join([str(seed), purpose, *map(str, counters)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def seed_default(seed: int, device: torch.device) -> None:
    """Seed what draws on a device where no generator is given, such as dropout.

    ``torch.manual_seed`` seeds all devices, and where one has not been used yet it formats the whole stack to remember
    who asked, which takes a good part of a small step.
    """
    if device.type == "cpu":
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def stream(seed: int, purpose: str, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose at one point of the run."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, purpose, *counters))
