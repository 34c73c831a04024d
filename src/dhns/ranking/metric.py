"""Link-prediction metrics over per-query ranks: per tie rule, side, relation category and kind of entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from dhns.graph.cardinality import CATEGORIES
from dhns.ranking.ranks import Ranks


class Records(NamedTuple):
    """What the metric keeps of each query, one int64 column a field, each ``(queries,)``."""

    query: Tensor
    head_side: Tensor
    category: Tensor
    seen: Tensor
    lost: Tensor
    linked: Tensor
    optimistic: Tensor
    pessimistic: Tensor
    candidates: Tensor
    own: Tensor

    @property
    def ranks(self) -> Ranks:
        return Ranks(self.optimistic, self.pessimistic, self.candidates, self.own)


class LinkPredictionMetric(Metric):
    """Filtered link-prediction metrics of a split, both sides of every triple.

    One record per query is kept (10 integers), not its scores, and records of one query count once: the samples that a
    distributed sampler repeats to even out the processes change nothing.

    ``compute`` returns a flat dictionary. The headline ``mrr``, ``mr``, ``amri`` and ``hits@k`` are of realistic ranks
    over both sides, ``queries`` of them. The same keys behind ``head/``, ``tail/``, ``1-N/``, ``1-N/tail/``, ...,
    ``seen/`` and ``unseen/`` are of realistic ranks over a slice; a slice without queries has none. ``head/`` asks for
    the head; ``unseen/`` triples hold an entity of no training triple. Head and tail of ``linked/`` triples are linked
    by a training triple, in either direction, from which their relation may be guessed; ``unlinked/`` are the others.
    Where modalities were taken away, ``lost/`` triples hold an entity that lost one, and ``kept/`` are the others.
    Behind ``optimistic/`` and ``pessimistic/`` stand the other tie rules, over both sides. ``own_above`` is the share
    of queries whose own entity scores above the answer.

    Args:
        category: ``(relations,)`` int64, indices into ``CATEGORIES``, as ``relation_category`` gives them.
        seen_entities: ``(entities,)`` bool, as ``KnowledgeGraph.seen_entities`` gives it.
        hits: the k of ``hits@k``.
        lost_modality: ``(entities,)`` bool, as ``KnowledgeGraph.lost_modality`` gives it; nobody when null.
        linked_pairs: ``(pairs,)`` int64, as ``KnowledgeGraph.linked_pairs`` gives it; none when null.
        **kwargs: of ``torchmetrics.Metric``.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    records: list[Tensor]
    category: Tensor
    seen_entities: Tensor
    lost_modality: Tensor
    linked_pairs: Tensor

    def __init__(
        self,
        category: Tensor,
        seen_entities: Tensor,
        hits: Sequence[int] = (1, 3, 10),
        lost_modality: Tensor | None = None,
        linked_pairs: Tensor | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.hits = tuple(hits)
        self.register_buffer("category", category, persistent=False)
        self.register_buffer("seen_entities", seen_entities, persistent=False)
        lost_modality = torch.zeros_like(seen_entities) if lost_modality is None else lost_modality
        self.register_buffer("lost_modality", lost_modality, persistent=False)
        linked_pairs = category.new_empty(0) if linked_pairs is None else linked_pairs
        self.register_buffer("linked_pairs", linked_pairs, persistent=False)
        self.add_state("records", default=[], dist_reduce_fx="cat")

    def update(self, triples: Tensor, head_side: Tensor, ranks: Ranks, query: Tensor) -> None:
        """Add a batch of ranked queries.

        Args:
            triples: ``(batch, 3)`` int64 rows ``(head, relation, tail)``.
            head_side: ``(batch,)`` bool, whether the head was asked for.
            ranks: of the answers, each ``(batch,)``.
            query: ``(batch,)`` int64 position of the triple in its split; with the side it names the query.
        """
        head, relation, tail = triples.unbind(1)
        seen = self.seen_entities[head] & self.seen_entities[tail]
        lost = self.lost_modality[head] | self.lost_modality[tail]
        columns = Records(query, head_side, self.category[relation], seen, lost, self._linked(head, tail), *ranks)
        self.records.append(torch.stack([column.long() for column in columns], dim=1))

    def _linked(self, head: Tensor, tail: Tensor) -> Tensor:
        """``(batch,)`` bool: head and tail are one of ``linked_pairs``."""
        if len(self.linked_pairs) == 0:
            return torch.zeros_like(head, dtype=torch.bool)
        pair = torch.minimum(head, tail) * len(self.seen_entities) + torch.maximum(head, tail)
        place = torch.searchsorted(self.linked_pairs, pair).clamp(max=len(self.linked_pairs) - 1)
        return self.linked_pairs[place] == pair

    def distinct_records(self) -> Records:
        """The records of all queries so far on the CPU, each query once, in order of the split, tail before head."""
        empty = torch.empty(0, len(Records._fields), dtype=torch.int64)
        return _distinct(Records(*(dim_zero_cat(self.records).cpu() if len(self.records) else empty).unbind(1)))

    def compute(self) -> dict[str, float]:
        """The metrics of all queries so far, as plain floats; empty when there are none."""
        if len(self.records) == 0:
            return {}
        # On the CPU, as the sums are float64 and not every accelerator has that type
        records = self.distinct_records()
        ranks = records.ranks
        metrics: dict[str, float] = {}
        for name, inside in _slices(records):
            if inside.any():
                values = summarise(ranks.realistic[inside], ranks.candidates[inside], self.hits)
                metrics |= _prefixed(name, values | {"queries": float(inside.sum())})
        for rule, rank in {"optimistic": ranks.optimistic, "pessimistic": ranks.pessimistic}.items():
            metrics |= _prefixed(rule, summarise(rank, ranks.candidates, self.hits))
        return metrics | {"own_above": (ranks.own == 2).double().mean().item()}


def summarise(rank: Tensor, candidates: Tensor, hits: Sequence[int]) -> dict[str, float]:
    """MRR, mean rank, adjusted mean rank index and hits@k of at least one query, summed in float64.

    ``AMRI = 1 - (MR - 1) / (E[MR] - 1)`` with ``E[MR] = mean((candidates + 1) / 2)``, the mean rank of random scores:
    1 is perfect, 0 is chance, negative is worse than chance (Berrendorf et al. 2020, arXiv:2002.06914). Where no query
    has a second candidate it is undefined and left out.

    Args:
        rank: ``(queries,)``, possibly halves.
        candidates: ``(queries,)``, how many entities competed.
        hits: the k of ``hits@k``, the share of ranks of at most k.
    """
    rank = rank.double()
    mean_rank = rank.mean().item()
    expected = (candidates.double() + 1).mean().item() / 2
    values = {"mrr": rank.reciprocal().mean().item(), "mr": mean_rank}
    if expected > 1:
        values["amri"] = 1 - (mean_rank - 1) / (expected - 1)
    return values | {f"hits@{k}": (rank <= k).double().mean().item() for k in hits}


def _distinct(records: Records) -> Records:
    """The first record of each query, in the order of the queries."""
    key = 2 * records.query + records.head_side
    order = key.argsort(stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[order].diff() != 0
    return Records(*(column[order[first]] for column in records))


def _slices(records: Records) -> Iterator[tuple[str, Tensor]]:
    """Name and ``(queries,)`` bool of each slice; the nameless one is everything."""
    head_side, seen = records.head_side.bool(), records.seen.bool()
    sides = {"head": head_side, "tail": ~head_side}
    yield "", torch.ones_like(seen)
    yield from sides.items()
    for index, name in enumerate(CATEGORIES):
        inside = records.category == index
        yield name, inside
        for side, asked in sides.items():
            yield f"{name}/{side}", inside & asked
    yield "seen", seen
    yield "unseen", ~seen
    linked = records.linked.bool()
    if linked.any():
        yield "unlinked", ~linked
        yield "linked", linked
    lost = records.lost.bool()
    if lost.any():
        yield "kept", ~lost
        yield "lost", lost


def _prefixed(name: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{name}/{key}" if name else key: value for key, value in values.items()}
