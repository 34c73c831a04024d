"""Hardness levels: when to tap the chain, and how to train on what is found there."""

from __future__ import annotations

from dataclasses import dataclass

from dhns.errors import InputError
from dhns.ranges import Fraction, NotNegative


@dataclass(frozen=True)
class HardnessLevel:
    """One level of generated negatives; hardness falls with time (``HL(x_t) ~ 1 / t``).

    Attributes:
        time: position in the chain as a fraction of T; 0 is its end, the cleanest embedding.
        weight: ``w(neg_t)`` of Eq. 13.
        margin: ``gamma_t`` as a fraction of the scorer's margin; smaller for harder negatives.
    """

    time: Fraction
    weight: NotNegative = 1.0
    margin: NotNegative = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.time <= 1:
            raise InputError(f"hardness level time {self.time} is not a fraction of the chain; use 0 <= time <= 1")

    def step(self, steps: int) -> int:
        """The diffusion step ``floor(time * T)``, at least 1 unless the time is 0."""
        return max(1, int(self.time * steps + 1e-9)) if self.time > 0 else 0
