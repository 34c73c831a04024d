"""Rank the triples of a split against all entities, both sides, whatever scores them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from dhns.console import track
from dhns.graph.index import KnownAnswers
from dhns.graph.queries import Queries, answers
from dhns.ranking.metric import LinkPredictionMetric
from dhns.ranking.ranks import NonFiniteScoreError, Ranks, filtered_ranks

ScoreAll = Callable[[Queries], Tensor]
"""A batch of queries to the scores ``(batch, entities)`` of all answers."""

ScoreTriples = Callable[[Tensor, Tensor], Tensor]
"""``(batch, 3)`` triples and ``(batch,)`` sides that are asked for to their scores ``(batch,)``."""

Describe = Callable[[tuple[int, int, int]], str]
"""A triple of ids in words, for messages."""

BYTES_PER_SCORE = 4
TOLERANCE = 1e-4


def queries_per_chunk(num_entities: int, memory_bytes: int = 256 * 2**20) -> int:
    """How many queries to score at once so that their fp32 score matrix fits ``memory_bytes``; at least one.

    The bound is on the matrix. Ranking adds 9 MiB to it, 850 MB on an accelerator; what a model needs to fill it is for
    the model to chunk.
    """
    return max(1, memory_bytes // (BYTES_PER_SCORE * num_entities))


@torch.no_grad()
def rank_batch(
    score_all: ScoreAll,
    triples: Tensor,
    head_side: Tensor,
    known: KnownAnswers,
    *,
    describe: Describe = str,
    score_triples: ScoreTriples | None = None,
) -> Ranks:
    """Filtered ranks of the answers to one query per triple: the step of :func:`rank_triples` and of a validation loop.

    Scores are computed with autocast off and compared in fp32: bfloat16 keeps 8 bits, which among thousands of entities
    makes ties with the answer by the dozen.

    Args:
        score_all: scores every entity as the answer to each query, higher is better.
        triples: ``(batch, 3)`` int64.
        head_side: ``(batch,)`` bool, whether the head is asked for.
        known: the answers to leave out; on the device of ``triples``.
        describe: names a triple in messages.
        score_triples: if given, must agree with the entries of ``score_all`` at the answers.

    Raises:
        NonFiniteScoreError: a score is NaN or infinite; the message names the first such triple.
        RuntimeError: ``score_triples`` and ``score_all`` disagree.
    """
    queries, answer = Queries.of(triples, head_side), answers(triples, head_side)
    # a query of several answers is scored once
    distinct, row = queries.distinct(known.num_relations)
    with torch.autocast(triples.device.type, enabled=False):
        scores = score_all(distinct).float()
        expected = None if score_triples is None else score_triples(triples, head_side).float()
    try:
        ranks = filtered_ranks(scores, answer, *known.lookup(queries), row, queries.entity)
    except NonFiniteScoreError as error:
        first = int(torch.isin(row, torch.tensor(error.rows, device=row.device)).nonzero()[0])
        side = "head" if head_side[first] else "tail"
        raise NonFiniteScoreError(
            f"{error}, the first when asking for the {side} of '{describe(_ids(triples[first]))}'; the parameters have "
            "diverged: lower the learning rate, clip the gradients, or evaluate an earlier checkpoint",
            error.rows,
        ) from None
    if expected is not None:
        _require_agreement(scores, scores[row, answer], expected, triples, describe)
    return ranks


def rank_triples(
    score_all: ScoreAll,
    triples: Tensor,
    known: KnownAnswers,
    metric: LinkPredictionMetric,
    *,
    batch_size: int | None = None,
    describe: Describe = str,
    score_triples: ScoreTriples | None = None,
    progress: bool = False,
) -> dict[str, float]:
    """Rank both sides of all triples of a split, in one process, and return what ``metric`` makes of the ranks.

    Each call of ``score_all`` asks for one side only. The device is that of ``known``, where ``metric`` must be too.

    Args:
        score_all: scores every entity as the answer to each query, higher is better.
        triples: ``(n, 3)`` int64, the whole split.
        known: the answers to leave out, normally those of every split.
        metric: is updated with all queries.
        batch_size: queries scored at once; by default :func:`queries_per_chunk`.
        describe: names a triple in messages, such as ``KnowledgeGraph.describe``.
        score_triples: if given, is compared with ``score_all`` on both sides of the first chunk.
        progress: show a progress bar.

    Raises:
        NonFiniteScoreError: a score is NaN or infinite; the message names the first such triple.
        RuntimeError: ``score_triples`` and ``score_all`` disagree.
    """
    triples = triples.to(known.answers.device)
    size = batch_size or queries_per_chunk(known.num_entities)
    chunks = torch.split(torch.arange(len(triples), device=triples.device), size)
    for number, query in enumerate(track(chunks, "Ranking", progress)):
        chunk = triples[query]
        for asked in (False, True):
            head_side = torch.full_like(query, asked, dtype=torch.bool)
            check = score_triples if number == 0 else None
            ranks = rank_batch(score_all, chunk, head_side, known, describe=describe, score_triples=check)
            metric.update(chunk, head_side, ranks, query)
    return metric.compute()


def _require_agreement(scores: Tensor, found: Tensor, expected: Tensor, triples: Tensor, describe: Describe) -> None:
    """Raise unless the answers' scores ``found (batch,)`` equal ``expected (batch,)`` up to rounding at this scale."""
    lowest, highest = scores.aminmax()
    scale = max(-lowest.item(), highest.item())
    agrees = torch.isclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE * scale)
    if not agrees.all():
        row = int((~agrees).nonzero()[0])
        raise RuntimeError(
            f"'{describe(_ids(triples[row]))}' scores {expected[row]:g} as a triple but {found[row]:g} among all "
            f"entities, and {int((~agrees).sum())} of {len(agrees)} triples differ so; ranks would be wrong. Make the "
            "scorer's two paths agree (dropout off, one precision: TF32 matrix products can cause this too)"
        )


def _ids(triple: Tensor) -> tuple[int, int, int]:
    head, relation, tail = triple.tolist()
    return head, relation, tail
