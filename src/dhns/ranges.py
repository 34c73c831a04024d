"""Ranges of numbers, as annotations: a setting is compared with that of its argument before anything is loaded."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

LARGEST = 2**31 - 1
"""Of sizes and counts: no machine holds more, and torch overflows far above."""

LARGEST_FLOAT = 3.4028234663852886e38
"""Of real numbers: models compute in single precision."""

Count = Annotated[int, Ge(1), Le(LARGEST)]
Whole = Annotated[int, Ge(0), Le(LARGEST)]
Seed = Annotated[int, Ge(0), Lt(2**63)]
Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
InnerFraction = Annotated[float, Gt(0), Lt(1)]
"""Neither nothing nor all."""
BelowOne = Annotated[float, Ge(0), Lt(1)]
