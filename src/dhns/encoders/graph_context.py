"""Entities with their graph context: what the edges of their neighbours predict (Tang et al., ACL 2020)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, embedding_bag

from dhns.encoders.encoder import STRUCTURE, Encoded, EntityEncoder
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.randomness import stream
from dhns.ranges import Count, Whole
from dhns.scorers.gc_ote import GCOTE
from dhns.scorers.scorer import Scorer

BLOCK_ROWS = 64
"""Predictions by one relation that share a copy of its matrices; the last block of a relation is padded."""


class GraphContext(EntityEncoder):
    """Learned vectors and, from some epoch on, two contexts each.

    The context of an entity as a tail is the mean of what the heads of its training edges predict for it and of itself;
    its context as a head is the same with the tails. Both are made of vectors as they are at the step and add no
    parameter. Work and memory of a step: at most ``2 * max_neighbours`` predictions of width D for each entity that is
    encoded, each distinct one made once, and a copy of a relation's matrices for every ``BLOCK_ROWS`` of them.

    Departures from the paper:
        The authors take all neighbours, and fine-tune a trained OTE in a second run, with a lower learning rate and
        another margin; here the contexts join in the course of one run. Their code weighs the edges by attention and
        has a dummy neighbour where the paper has the entity itself; here it is the paper's mean. How the edge of a
        training triple is kept out of its own score is the business of `GCOTE`.

    Args:
        graph: its training triples are the edges.
        scorer: a `GCOTE`.
        context_from_epoch: first epoch in which contexts take part; the epochs before train plain OTE.
        max_neighbours: edges per entity and direction; of more, a choice that depends on the graph alone.

    Raises:
        InputError: the scorer cannot take contexts, or ``max_neighbours`` is not positive.
    """

    active: Tensor
    _source: Tensor
    _relation: Tensor
    _edge: Tensor
    _start: Tensor

    def __init__(
        self, graph: KnowledgeGraph, scorer: Scorer, context_from_epoch: Whole = 0, max_neighbours: Count = 32
    ) -> None:
        super().__init__(graph, scorer)
        if not isinstance(scorer, GCOTE):
            raise InputError(f"encoder=graph_context needs scorer=gc_ote, and the scorer is {type(scorer).__name__}")
        if max_neighbours < 1:
            raise InputError(f"encoder.max_neighbours is {max_neighbours}; expected at least 1")
        self.num_relations = graph.num_relations
        self.view_names = (STRUCTURE,)
        self.context_from_epoch = context_from_epoch
        # the model owns the scorer: kept out of this module's parts
        self._inverse, self._predict = scorer.inverse, scorer.predict
        # part of the state: a checkpoint is ranked as it was trained
        self.register_buffer("active", torch.tensor(context_from_epoch <= 0))
        for name, value in self._edges(graph.train, max_neighbours).items():
            self.register_buffer(name, value, persistent=False)

    def _edges(self, triples: Tensor, max_neighbours: int) -> dict[str, Tensor]:
        """Every triple as two edges, head to tail by its relation and tail to head by the inverse one.

        Returns:
            _source, _relation: of the distinct predictions, sorted by relation; inverse relations come second.
            _edge: the predictions that make up the contexts, as tails of all entities and then as heads.
            _start: ``(2 * num_entities + 1,)`` where each context begins in ``_edge``.
        """
        head, relation, tail = triples.unbind(1)
        source, target = torch.cat([head, tail]), torch.cat([tail, head + self.num_entities])
        key = torch.cat([relation, relation + self.num_relations]) * self.num_entities + source
        distinct, prediction = torch.unique(key, return_inverse=True)
        order = torch.randperm(len(target), generator=stream(0, "graph context"))
        order = order[target[order].argsort(stable=True)]
        degree = torch.bincount(target, minlength=2 * self.num_entities)
        kept = order[_positions(degree) < max_neighbours]
        start = degree.clamp(max=max_neighbours).cumsum(0)
        return {
            "_source": distinct % self.num_entities,
            "_relation": distinct // self.num_entities,
            "_edge": prediction[kept],
            "_start": torch.cat([start.new_zeros(1), start]),
        }

    def start_epoch(self, epoch: int) -> None:
        self.active.fill_(epoch >= self.context_from_epoch)

    def forward(self, entity: Tensor | None = None, relations: Tensor | None = None) -> Encoded:
        """See `EntityEncoder`: ``joint`` is ``(U, D)`` before contexts take part, and then ``(U, 3 D + 2)``.

        It joins the entity, its contexts as a tail and as a head, and the number of edges in each of the two.
        """
        rows, present = self.structural_view(entity)
        joint = rows
        if self.active:
            assert relations is not None, "contexts are predicted by relations"
            ids = torch.arange(self.num_entities, device=rows.device) if entity is None else entity
            joint = torch.cat([rows, *self._contexts(ids, rows, relations[: self.num_relations])], dim=1)
        return Encoded(joint, {STRUCTURE: rows}, {STRUCTURE: present})

    def fuse(self, views: dict[str, Tensor], present: dict[str, Tensor]) -> Tensor:
        return views[STRUCTURE]

    def _contexts(self, entity: Tensor, rows: Tensor, relations: Tensor) -> tuple[Tensor, ...]:
        """Both contexts ``(U, D)`` and both numbers of edges ``(U, 1)``."""
        context = torch.cat([entity, entity + self.num_entities])
        start, count = self._start[context], self._start[context + 1] - self._start[context]
        edge = self._edge[start.repeat_interleave(count) + _positions(count)]
        needed, place = torch.unique(edge, return_inverse=True)
        predicted = self._predictions(needed, torch.cat([relations, self._inverse(relations)])).to(rows.dtype)
        summed = embedding_bag(place, predicted, count.cumsum(0) - count, mode="sum")
        edges = count[:, None].to(rows.dtype)
        means = (summed + rows.repeat(2, 1)) / (edges + 1)
        return *means.chunk(2), *edges.chunk(2)

    def _predictions(self, needed: Tensor, relations: Tensor) -> Tensor:
        """``(P, D)`` predictions ``needed`` ``(P,)``, in blocks of rows of one relation."""
        count = torch.bincount(self._relation[needed], minlength=len(relations))
        blocks = (count + BLOCK_ROWS - 1) // BLOCK_ROWS
        first = (blocks.cumsum(0) - blocks) * BLOCK_ROWS
        # sorted by relation, as the predictions are
        slot = first.repeat_interleave(count) + _positions(count)
        source = slot.new_zeros(int(blocks.sum()) * BLOCK_ROWS).index_copy(0, slot, self._source[needed])
        of_block = torch.arange(len(relations), device=slot.device).repeat_interleave(blocks)
        entities = embedding(source, self.structure).view(-1, BLOCK_ROWS, self.width)
        predicted = self._predict(entities, embedding(of_block[:, None], relations))
        return embedding(slot, predicted.flatten(0, 1))


def _positions(count: Tensor) -> Tensor:
    """0, 1, ..., count[0] - 1, 0, 1, ..., count[1] - 1, and so on."""
    total = torch.arange(int(count.sum()), device=count.device)
    return total - (count.cumsum(0) - count).repeat_interleave(count)
