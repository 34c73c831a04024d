"""Energies of one scorer over pairs of views: the score of IKRL, TBKGC, VBKGC and MMKRL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Literal

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.ranges import Count, NotNegative
from dhns.scorers.scorer import Scorer


class ViewEnergies(Scorer):
    """``margin`` less the sum, or mean, of ``distance(h_a, r, t_b)`` over pairs of a view of the head and of the tail.

    An entity is V views side by side, ``(..., V * D)``; all pairs share the relation. A vector of length D is one view
    that stands for all, as a generated one does. A query holds the query of every view, ``(..., V * Q)``.

    - IKRL (Xie et al., IJCAI 2017): structure and image in all four pairs, TransE distances, their sum.
    - TBKGC (Mousselly-Sergieh et al., StarSem 2018): the same with a multimodal view, and a fifth energy that compares
      the sums of both views.
    - VBKGC (Zhang and Zhang, 2022): IKRL's four pairs with another distance, here RotatE's; their mean in the project's
      row, which learned far better than their sum.
    - MMKRL (Lu et al., Applied Intelligence 2022): four pairs of three views, their mean.

    The margin counts once. Of a sum each of the P energies has its share ``margin / P``, and the initialisation that
    goes with it, so that at first the distances add up to about the margin, as those of one energy do: the log-sigmoid
    loss starts where it is steep, and its scores stay on one scale. A whole margin per energy makes scores P times as
    large, and learned less. A ranking loss sees nothing of the margin but the initialisation.

    Args:
        energy: makes the distance scorer of one pair from ``dim`` and ``margin``.
        dim: of the scorer of one pair.
        margin: gamma of the score, in units of distance.
        pairs: numbers ``(a, b)`` of the views that are compared. With ``(a, b)`` there must be ``(b, a)``: a head asks
            for its tail as a tail asks for its head.
        reduction: ``sum`` of the energies, as in the papers, or their ``mean``, on the scale of one energy.

    Raises:
        InputError: ``pairs`` is empty, holds something else than pairs of numbers, or lacks a mirrored pair.
    """

    pairs: Tensor

    def __init__(
        self,
        energy: Callable[..., Scorer],
        dim: Count,
        margin: NotNegative,
        pairs: Sequence[Sequence[int]],
        reduction: Literal["sum", "mean"] = "sum",
    ) -> None:
        super().__init__()
        self.compared = _checked(pairs)
        self.num_views = 1 + max(max(pair) for pair in self.compared)
        summed = reduction == "sum"
        self.scale = 1.0 if summed else 1 / len(self.compared)
        self.margin = margin
        self.energy = energy(dim=dim, margin=margin / len(self.compared) if summed else margin)
        self.entity_width = self.energy.entity_width
        self.relation_width = self.energy.relation_width
        self.init_range = self.energy.init_range
        self.register_buffer("pairs", torch.tensor(self.compared), persistent=False)

    def initial_relations(self, count: int) -> Tensor:
        return self.energy.initial_relations(count)

    def prepare(self, relations: Tensor) -> Tensor:
        return self.energy.prepare(relations)

    def magnitudes(self, vector: Tensor) -> Tensor:
        return self.energy.magnitudes(vector)

    def inverse(self, relation: Tensor) -> Tensor:
        return self.energy.inverse(relation)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        return self.energy.condition(entity, relation, head_side)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        return self.energy.query(self._views(entity)[..., : self.num_views, :], relation[..., None, :]).flatten(-2)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        asked, found = self._queries(query), self._views(candidate)
        return self._total(self.energy.match(asked[..., a, :], found[..., b, :]) for a, b in self.compared)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        # every view of an entity is a row of its own, and every pair a query: one call, and no copy of the views
        views = self._views(table)
        rows = index[:, None] * views.shape[1] + self.pairs[:, 1, None]
        asked = self._queries(query)
        queries = torch.stack([asked[:, a] for a, _ in self.compared], dim=1)
        score = self.energy.match_indexed(
            queries.flatten(0, 1), views.reshape(-1, self.entity_width), rows.flatten(0, 1)
        )
        return self.scale * score.view(len(index), len(self.compared), index.shape[1]).sum(1)

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        asked, found = self._queries(query), [view.contiguous() for view in self._views(table).unbind(1)]
        return self._total(self.energy.match_all(asked[:, a], found[b]) for a, b in self.compared)

    def _queries(self, query: Tensor) -> Tensor:
        """``(..., V, Q)`` of ``(..., V * Q)``."""
        return query.reshape(*query.shape[:-1], self.num_views, query.shape[-1] // self.num_views)

    def _views(self, entity: Tensor) -> Tensor:
        """``(..., V, D)`` views of entities ``(..., V * D)`` or ``(..., D)``."""
        views = entity.reshape(*entity.shape[:-1], entity.shape[-1] // self.entity_width, self.entity_width)
        if views.shape[-2] == 1:
            return views.expand(*views.shape[:-2], self.num_views, -1)
        if views.shape[-2] < self.num_views:
            raise InputError(
                f"scorer.pairs names view {self.num_views - 1}, but the encoder puts {views.shape[-2]} views side by "
                "side, counted from 0; choose an encoder and pairs that fit, or a model that has both"
            )
        return views

    def _total(self, scores: Iterable[Tensor]) -> Tensor:
        return self.scale * reduce(torch.add, scores)


def _checked(pairs: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """The pairs as tuples.

    Raises:
        InputError: see `ViewEnergies`.
    """
    found = [tuple(pair) if isinstance(pair, Sequence) else (pair,) for pair in pairs]
    whole = all(len(pair) == 2 and all(isinstance(view, int) and view >= 0 for view in pair) for pair in found)
    if not found or not whole:
        raise InputError(
            f"scorer.pairs is {[list(pair) for pair in found]}; expected pairs of views, counted from 0, such as "
            "[[0, 0], [0, 1], [1, 0]]"
        )
    mirrored = [(b, a) for a, b in found]
    if sorted(mirrored) != sorted(found):
        lacking = next(pair for pair in mirrored if mirrored.count(pair) > found.count(pair))
        raise InputError(
            f"scorer.pairs lacks {list(lacking)}: heads and tails are asked for alike, so every pair needs its mirror "
            "image"
        )
    return [(a, b) for a, b in found]
