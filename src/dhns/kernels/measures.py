"""What kernels measure of a pair of rows; see `dhns.kernels.pairs.measure_pairs`."""

from typing import Literal, get_args

Measure = Literal["l1", "l2", "modulus", "product"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
"""In the order of the enumerations in C and Triton."""
