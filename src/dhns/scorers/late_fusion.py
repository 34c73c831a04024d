"""Late fusion: a scorer of its own for each view of an entity, scores added."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.ranges import Count
from dhns.scorers.scorer import Scorer


class LateFusion(Scorer):
    """``sum_i w_i(r) score_i(h_i, r_i, t_i)`` over views i, each with its own scorer and relation vectors.

    An entity is P views side by side, ``(..., P * D)``, one per part. A relation vector holds those of all parts, and P
    logarithms of weights, which start at 0: how much a view says differs by relation, and so does the scale of a
    distance in a softmax. A vector of length D is one view that stands for all, as a generated one does. A query holds
    the queries of all parts, and the weights.

    The parts may be of different families, such as a product on structure and a rotation on features. Their sum is no
    distance from a margin, whatever they are: it has none.

    Args:
        dim: of the scorer of each view.
        parts: make these scorers from ``dim``, in the order of the views; their entity vectors have one length D.

    Raises:
        InputError: there are fewer than two parts, or their entity vectors differ in length.
    """

    def __init__(self, dim: Count, parts: Sequence[Callable[..., Scorer]]) -> None:
        super().__init__()
        made = [part(dim=dim) for part in parts]
        self._set_widths(made)
        self.parts = nn.ModuleList(made)
        self.init_range = made[0].init_range

    def _set_widths(self, parts: Sequence[Scorer]) -> None:
        widths = [part.entity_width for part in parts]
        if len(parts) < 2 or len(set(widths)) > 1:
            raise InputError(
                f"scorer.parts have entity vectors of length {widths}; expected two scorers or more, of one length, "
                "such as complex and rotate of the same dim"
            )
        self.entity_width = widths[0]
        self.stored_widths = [*(part.relation_width for part in parts), len(parts)]
        self.relation_width = sum(self.stored_widths)
        prepared = [part.prepare(torch.zeros(1, part.relation_width)) for part in parts]
        queries = [part.query(torch.zeros(1, widths[0]), own) for part, own in zip(parts, prepared, strict=True)]
        self.prepared_widths = [*(own.shape[1] for own in prepared), len(parts)]
        self.query_widths = [*(query.shape[1] for query in queries), len(parts)]

    def initial_relations(self, count: int) -> Tensor:
        return torch.cat(
            [*(part.initial_relations(count) for part in self._all), torch.zeros(count, len(self._all))], 1
        )

    def prepare(self, relations: Tensor) -> Tensor:
        """Relations as each part prepares them, and weights in the place of their logarithms."""
        *stored, logarithms = torch.split(relations, self.stored_widths, dim=-1)
        prepared = [part.prepare(own) for part, own in zip(self._all, stored, strict=True)]
        return torch.cat([*prepared, logarithms.exp()], dim=-1)

    def magnitudes(self, vector: Tensor) -> Tensor:
        """Those of each part's own vectors, of an entity or a relation, stored or prepared; weights have none."""
        width = vector.shape[-1]
        if width % self.entity_width == 0 and width // self.entity_width in (1, len(self._all)):
            own: Sequence[Tensor] = torch.split(vector, self.entity_width, dim=-1)
        else:
            widths = self.stored_widths if width == self.relation_width else self.prepared_widths
            own = torch.split(vector, widths, dim=-1)
        return torch.cat([part.magnitudes(each) for part, each in zip(self._all, own, strict=False)], dim=-1)

    def inverse(self, relation: Tensor) -> Tensor:
        *own, weights = torch.split(relation, self.prepared_widths, dim=-1)
        return torch.cat([*(part.inverse(each) for part, each in zip(self._all, own, strict=True)), weights], dim=-1)

    def condition(self, entity: Tensor, relation: Tensor, head_side: Tensor) -> Tensor:
        """That of the first part: a generator knows one relation per view of no more than its own length."""
        return self._all[0].condition(entity, relation[..., : self.prepared_widths[0]], head_side)

    def query(self, entity: Tensor, relation: Tensor) -> Tensor:
        *own, weights = torch.split(relation, self.prepared_widths, dim=-1)
        asked = [part.query(e, r) for part, e, r in zip(self._all, self._views(entity), own, strict=True)]
        leading = asked[0].shape[:-1]
        return torch.cat([*asked, weights.expand(*leading, -1)], dim=-1)

    def match(self, query: Tensor, candidate: Tensor) -> Tensor:
        *asked, weights = torch.split(query, self.query_widths, dim=-1)
        found = zip(self._all, asked, self._views(candidate), weights.unbind(-1), strict=True)
        return _total(weight * part.match(q, c) for part, q, c, weight in found)

    def match_indexed(self, query: Tensor, table: Tensor, index: Tensor) -> Tensor:
        return _total(w * part.match_indexed(q, view, index) for part, q, view, w in self._apart(query, table))

    def match_all(self, query: Tensor, table: Tensor) -> Tensor:
        return _total(w * part.match_all(q, view) for part, q, view, w in self._apart(query, table))

    @property
    def _all(self) -> list[Scorer]:
        return list(self.parts)  # type: ignore[arg-type]

    def _apart(self, query: Tensor, table: Tensor) -> Iterable[tuple[Scorer, Tensor, Tensor, Tensor]]:
        """Each part with its queries ``(B, Q_i)``, its view of the table ``(E, D)`` and its weights ``(B, 1)``."""
        *asked, weights = torch.split(query, self.query_widths, dim=-1)
        views = (view.contiguous() for view in self._views(table))
        return zip(self._all, (q.contiguous() for q in asked), views, torch.split(weights, 1, dim=-1), strict=True)

    def _views(self, entity: Tensor) -> Sequence[Tensor]:
        """``(..., D)`` views of entities ``(..., P * D)`` or ``(..., D)``."""
        count = len(self._all)
        if entity.shape[-1] == self.entity_width:
            return [entity] * count
        if entity.shape[-1] != count * self.entity_width:
            raise InputError(
                f"scorer.parts has {count} scorers, and the encoder puts {entity.shape[-1] / self.entity_width:g} of "
                "their views side by side; choose as many parts as views, or model=late_fusion, which has both"
            )
        return torch.split(entity, self.entity_width, dim=-1)


def _total(scores: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, scores)
