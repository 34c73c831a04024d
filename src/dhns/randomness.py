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


def stream(seed: int, purpose: str, *counters: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose at one point of the run."""
    return torch.Generator(device=device).manual_seed(derive_seed(seed, purpose, *counters))
