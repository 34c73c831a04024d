"""The part that one process takes of rows that several processes share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Shard(NamedTuple):
    """Every ``of``-th row, beginning with the ``rank``-th; all rows by default."""

    rank: int = 0
    of: int = 1

    def take(self, rows: Tensor) -> Tensor:
        """The share of rows ``(n, ...)``: ``ceil(n / of)`` of them.

        Where they do not divide evenly, the last ones are made up from the first again, since every process has to
        take part in every step.
        """
        if len(rows) == 0 or self.of == 1:
            return rows
        share = -(-len(rows) // self.of)
        return rows[torch.arange(self.rank, share * self.of, self.of, device=rows.device) % len(rows)]


WHOLE = Shard()
"""What a process takes that works alone."""
