"""Ranks of the true answers among all entities, known answers left out, under every tie rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from dhns.errors import InputError

BLOCK_CELLS = {"cpu": 2**20}
"""Scores that are compared at once: temporaries take 9 bytes each, here 9 MiB, which stay in the processor's cache."""
DEFAULT_BLOCK_CELLS = 2**26
"""The same for every other device: 600 MB, and a batch of queries in one block."""


class NonFiniteScoreError(InputError):
    """Some scores are NaN or infinite, and no comparison with them means anything.

    Attributes:
        rows: the rows of the batch with such a score, ascending.
    """

    def __init__(self, message: str, rows: Sequence[int]) -> None:
        super().__init__(message)
        self.rows = tuple(rows)


class Ranks(NamedTuple):
    """Ranks of the answers to a batch of queries, each ``(batch,)`` int64; 1 is the best.

    Attributes:
        optimistic: the answer comes first among the candidates that tie with it.
        pessimistic: the answer comes last among them.
        candidates: how many entities compete, the answer included and the other known answers left out.
        own: half places that the entity of the query itself takes before the answer: 2 where it scores higher, 1 where
            it ties, 0 where it scores lower or does not compete.
    """

    optimistic: Tensor
    pessimistic: Tensor
    candidates: Tensor
    own: Tensor

    @property
    def realistic(self) -> Tensor:
        """``(batch,)`` float64: the expected rank when ties are broken at random, the mean of the two extremes."""
        return (self.optimistic + self.pessimistic).double() / 2


def filtered_ranks(
    scores: Tensor,
    answer: Tensor,
    known_query: Tensor,
    known_entity: Tensor,
    row: Tensor | None = None,
    own: Tensor | None = None,
) -> Ranks:
    """Rank the answers of a batch of queries in the filtered setting (Bordes et al. 2013).

    With the candidates ``C = entities - known answers + {answer}`` and ``s`` the scores of a query::

        optimistic  = 1 + |{e in C : s(e) > s(answer)}|
        pessimistic = |{e in C : s(e) >= s(answer)}|
        realistic   = (optimistic + pessimistic) / 2

    Better and tied entities are counted over whole rows; those among the known answers are then subtracted. Beside the
    scores this needs memory for the sparse list and one block of comparisons, never for a dense mask.

    Args:
        scores: ``(queries, entities)`` floating point, higher is better.
        answer: ``(batch,)`` int64 entity to rank.
        known_query: ``(known,)`` int64 place in the batch of each known answer, as ``KnownAnswers.lookup`` gives it.
        known_entity: ``(known,)`` int64 the known answer, which is left out. Repeated pairs count once, and the answer
            to rank stays in, listed or not.
        row: ``(batch,)`` int64 row of ``scores`` of the query that each answer answers; its own if left out.
        own: ``(batch,)`` int64 entity of each query, for `Ranks.own`; if left out, that is 0 throughout.

    Raises:
        NonFiniteScoreError: a score is NaN or infinite.
    """
    require_finite(scores)
    row = torch.arange(len(scores), device=scores.device) if row is None else row
    answer_score = scores[row, answer][:, None]
    better, tied = _count_better_and_tied(scores, row, answer_score)

    num_entities = scores.shape[1]
    cells = torch.unique(known_query * num_entities + known_entity)
    query, entity = cells // num_entities, cells % num_entities
    others = entity != answer[query]
    query, entity = query[others], entity[others]
    known_score, target = scores[row[query], entity], answer_score[query, 0]
    better.index_add_(0, query, -(known_score > target).long())
    tied.index_add_(0, query, -(known_score == target).long())
    left_out = torch.zeros_like(better).index_add_(0, query, torch.ones_like(query))
    own_places = torch.zeros_like(better)
    if own is not None:
        own_score = scores[row, own][:, None]
        own_places = ((own_score > answer_score).long() + (own_score >= answer_score).long())[:, 0]
        own_places[own == answer] = 0
        own_places[query[entity == own[query]]] = 0

    return Ranks(
        optimistic=1 + better,  # + 1: ranks start at one
        pessimistic=better + tied,  # no + 1: the answer ties with itself and is counted already
        candidates=num_entities - left_out,  # no + 1: the answer is never left out
        own=own_places,
    )


def require_finite(scores: Tensor) -> None:
    """Raise :class:`NonFiniteScoreError` unless every entry of ``scores (batch, entities)`` is finite.

    A row's extremes show it: NaN propagates through both, and an infinity is one of them.
    """
    finite = scores.amin(1).isfinite() & scores.amax(1).isfinite()
    if not finite.all():
        rows = (~finite).nonzero().flatten().tolist()
        raise NonFiniteScoreError(f"{len(rows)} of {len(scores)} queries have scores that are NaN or infinite", rows)


def _count_better_and_tied(scores: Tensor, row: Tensor, answer_score: Tensor) -> tuple[Tensor, Tensor]:
    """Per answer, how many scores of its row exceed and how many equal ``answer_score (batch, 1)``."""
    cells = BLOCK_CELLS.get(scores.device.type, DEFAULT_BLOCK_CELLS)
    size = max(1, cells // scores.shape[1])
    better = torch.empty_like(row)
    tied = torch.empty_like(row)
    for start in range(0, len(row), size):
        block = slice(start, start + size)
        found = scores[row[block]]
        # int32 sums: bool tensors are cast before they are summed, and half the width is twice as fast
        better[block] = (found > answer_score[block]).sum(1, dtype=torch.int32)
        tied[block] = (found == answer_score[block]).sum(1, dtype=torch.int32)
    return better, tied
