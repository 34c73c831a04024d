"""Which entities lie near which, as one sparse table."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph

CELLS = 2**21
"""Entries of the dense block, sources by entities, in which neighbourhoods are found."""
MOST_MEMBERS = 2**28
"""Members of all neighbourhoods together (1 GiB); enough for any graph of up to 16,384 entities."""


class Neighbourhoods(nn.Module):
    """The other entities within some hops of each entity, over training triples of either direction.

    Exact ones come from products of the adjacency matrix with blocks of sources. With ``walks``, a neighbourhood is
    what that many random walks from the entity, of ``hops`` steps each, pass through.

    Args:
        graph: its training triples are the edges.
        hops: k, largest distance.
        walks: random walks per entity, drawn from the global generator; null finds all entities within k hops.

    Attributes:
        members: ``(M + 1,)`` int32 neighbours, entity by entity, ids ascending; -1 at the end.
        offsets: ``(entities + 1,)`` where the neighbours of each entity begin.

    Raises:
        InputError: a number is below 1, or the neighbourhoods do not fit into memory.
    """

    members: Tensor
    offsets: Tensor

    def __init__(self, graph: KnowledgeGraph, hops: int, walks: int | None = None) -> None:
        super().__init__()
        for name, value in {"hops": hops, "walks": walks}.items():
            if value is not None and value < 1:
                raise InputError(f"negatives.{name} is {value}; expected at least 1")
        self.num_entities = graph.num_entities
        edges = _edges(graph)
        found, sizes, total = [], [], 0
        rows = max(1, CELLS // max(self.num_entities, walks or 0, 1))
        for source in torch.split(torch.arange(self.num_entities, device=edges.device), rows):
            near = self._reached(source, edges, hops) if walks is None else self._walked(source, edges, hops, walks)
            near[torch.arange(len(source), device=edges.device), source] = False
            found.append(near.nonzero()[:, 1].int())
            sizes.append(near.sum(1))
            total += len(found[-1])
            if total > MOST_MEMBERS:
                raise InputError(
                    f"negatives.hops is {hops}: these neighbourhoods of {graph.name} hold more than {MOST_MEMBERS} "
                    "entities; expected fewer hops, or random walks (negatives.walks=1000)"
                )
        self.register_buffer("members", torch.cat([*found, edges.new_tensor([-1]).int()]), persistent=False)
        self.register_buffer("offsets", torch.cat([edges.new_zeros(1), *sizes]).cumsum(0), persistent=False)

    def _reached(self, source: Tensor, edges: Tensor, hops: int) -> Tensor:
        """``(S, entities)`` bool: what lies within some hops of the sources."""
        adjacency = torch.sparse_coo_tensor(
            edges,
            torch.ones(edges.shape[1], device=edges.device),
            (self.num_entities, self.num_entities),
            is_coalesced=True,
            check_invariants=False,
        )
        near = torch.zeros(self.num_entities, len(source), device=edges.device)
        near[source, torch.arange(len(source), device=edges.device)] = 1
        for _ in range(hops):
            near = torch.sparse.addmm(near, adjacency, near).clamp_(max=1)
        return near.T.bool()

    def _walked(self, source: Tensor, edges: Tensor, hops: int, walks: int) -> Tensor:
        """``(S, entities)`` bool: what random walks from the sources pass through."""
        degree = torch.bincount(edges[0], minlength=self.num_entities)
        begin = degree.cumsum(0) - degree
        near = torch.zeros(len(source), self.num_entities, dtype=torch.bool, device=edges.device)
        walker = source[degree[source] > 0, None].expand(-1, walks)
        row = (degree[source] > 0).nonzero()
        for _ in range(hops):
            draw = torch.rand(walker.shape, dtype=torch.float64, device=edges.device)
            walker = edges[1, begin[walker] + (draw * degree[walker]).long()]
            near[row, walker] = True
        return near

    def size(self, entity: Tensor) -> Tensor:
        """``(B,)`` how many neighbours entities ``(B,)`` have."""
        return self.offsets[entity + 1] - self.offsets[entity]

    def member(self, entity: Tensor, position: Tensor) -> Tensor:
        """``(B, N)`` the neighbours of entities ``(B,)`` at positions ``(B, N)``; meaningless beyond the size."""
        return self.members[self.offsets[entity][:, None] + position].long()

    def find(self, entity: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        """Where ``other`` ``(B,)`` stands among the neighbours of ``entity`` ``(B,)``, and whether it is one."""
        low, end = self.offsets[entity], self.offsets[entity + 1]
        high = end
        # a binary search within each row
        for _ in range(self.num_entities.bit_length()):
            middle = (low + high) // 2
            before = (low < high) & (self.members[middle] < other)
            low, high = torch.where(before, middle + 1, low), torch.where(before, high, middle)
        return low - self.offsets[entity], (low < end) & (self.members[low] == other)


def _edges(graph: KnowledgeGraph) -> Tensor:
    """``(2, edges)`` distinct pairs of linked entities, both directions, ascending."""
    head, _, tail = graph.train.unbind(1)
    pairs = torch.unique(torch.cat([head * graph.num_entities + tail, tail * graph.num_entities + head]))
    return torch.stack([pairs // graph.num_entities, pairs % graph.num_entities])
