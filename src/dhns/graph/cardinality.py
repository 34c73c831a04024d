"""How many tails a head has, and heads a tail: the categories 1-1, 1-N, N-1 and N-N of Bordes et al. (NeurIPS 2013)."""

from __future__ import annotations

import torch
from torch import Tensor

from dhns.graph.triple_sets import distinct

CATEGORIES = ("1-1", "1-N", "N-1", "N-N")
THRESHOLD = 1.5


def tails_per_head(triples: Tensor, num_relations: int) -> Tensor:
    """Mean number of distinct tails of a head, per relation.

    Args:
        triples: ``(n, 3)`` int64, normally of train; duplicates count once.
        num_relations: R.

    Returns:
        ``(R,)`` float32; 1.0 for a relation without triples, about which nothing is known.
    """
    return _answers_per_query(triples, 0, num_relations)


def heads_per_tail(triples: Tensor, num_relations: int) -> Tensor:
    """Mean number of distinct heads of a tail, per relation: as :func:`tails_per_head`, the other way round."""
    return _answers_per_query(triples, 2, num_relations)


def relation_category(triples: Tensor, num_relations: int) -> Tensor:
    """Index into ``CATEGORIES`` of each relation: a side counts as N from a mean of 1.5 on.

    Args:
        triples: ``(n, 3)`` int64, normally of train.
        num_relations: R.

    Returns:
        ``(R,)`` int64; 1-1 for a relation without triples.
    """
    many_tails = tails_per_head(triples, num_relations) >= THRESHOLD
    many_heads = heads_per_tail(triples, num_relations) >= THRESHOLD
    return 2 * many_heads.long() + many_tails.long()


def _answers_per_query(triples: Tensor, known_column: int, num_relations: int) -> Tensor:
    facts = distinct(triples)
    queries = distinct(facts[:, [known_column, 1]])
    answers = torch.bincount(facts[:, 1], minlength=num_relations)
    asked = torch.bincount(queries[:, 1], minlength=num_relations)
    return torch.where(asked > 0, answers / asked.clamp(min=1), 1.0)
