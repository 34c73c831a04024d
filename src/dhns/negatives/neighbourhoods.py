"""Which entities lie near which, as one sparse table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.negatives.links import Ids, Links, Reached
from dhns.progress import progress

MOST_MEMBERS = 2**28
"""Members of all neighbourhoods together (1 GiB); enough for any graph of up to 16,384 entities."""
SAMPLE = 256
"""Entities whose neighbourhoods tell how many members all will have."""


class Neighbourhoods(nn.Module):
    """The other entities within some hops of each entity, over training triples of either direction.

    With ``walks``, a neighbourhood is what that many random walks from the entity, of ``hops`` steps each, pass
    through. Time and memory grow with the members, not with the square of the entities.

    Args:
        graph: its training triples are the edges.
        hops: k, largest distance.
        walks: random walks per entity, drawn from the global generator; null finds all entities within k hops.

    Attributes:
        members: ``(M + 1,)`` int32 neighbours, entity by entity, ids ascending; -1 at the end.
        offsets: ``(entities + 1,)`` where the neighbours of each entity begin.

    Raises:
        InputError: a number is below 1, or the neighbourhoods do not fit into memory; where a sample of them leaves no
            doubt, before they are searched for.
    """

    members: Tensor
    offsets: Tensor

    def __init__(self, graph: KnowledgeGraph, hops: int, walks: int | None = None) -> None:
        super().__init__()
        for name, value in {"hops": hops, "walks": walks}.items():
            if value is not None and value < 1:
                raise InputError(f"negatives.{name} is {value}; expected at least 1")
        self.num_entities = graph.num_entities
        links = Links(graph)
        search = partial(links.within, hops=hops) if walks is None else partial(links.walked, hops=hops, walks=walks)
        expected, error = _expected_members(search, self.num_entities)
        if expected - 5 * error > MOST_MEMBERS:
            raise _too_many(expected, graph, hops, walks)
        parts: list[Reached] = []
        total = done = 0
        with progress("Finding neighbourhoods", self.num_entities) as advance:
            for found in search(np.arange(self.num_entities)):
                parts.append(found)
                total, done = total + len(found.member), done + len(found.size)
                if total > MOST_MEMBERS:
                    raise _too_many(total / done * self.num_entities, graph, hops, walks)
                advance(len(found.size))
        members = np.concatenate([*(found.member for found in parts), np.array([-1], dtype=np.int32)])
        sizes = np.concatenate([np.zeros(1, dtype=np.int64), *(found.size for found in parts)])
        self.register_buffer("members", torch.from_numpy(members), persistent=False)
        self.register_buffer("offsets", torch.from_numpy(sizes.cumsum()), persistent=False)

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


def _expected_members(search: Callable[[Ids], Iterable[Reached]], num_entities: int) -> tuple[float, float]:
    """Members of all neighbourhoods, going by a sample, and the standard error; zeros where any number would fit."""
    if num_entities**2 <= MOST_MEMBERS:
        return 0.0, 0.0
    sample = np.linspace(0, num_entities - 1, min(SAMPLE, num_entities)).astype(np.int64)
    sizes = []
    # walks from the sample must not change those that follow
    with torch.random.fork_rng(devices=[]), progress("Estimating neighbourhoods", len(sample)) as advance:
        for found in search(sample):
            sizes.append(found.size)
            advance(len(found.size))
    size = np.concatenate(sizes)
    left_out = 1 - len(size) / num_entities
    error = size.std() * math.sqrt(left_out / len(size))
    return float(size.mean() * num_entities), float(error * num_entities)


def _too_many(members: float, graph: KnowledgeGraph, hops: int, walks: int | None) -> InputError:
    fitting = max(1, MOST_MEMBERS // (graph.num_entities * hops))
    way_out = (
        f"random walks (negatives.walks={fitting})" if walks is None else f"fewer walks (negatives.walks={fitting})"
    )
    return InputError(
        f"negatives.hops is {hops}: these neighbourhoods of {graph.name} hold some {members:,.0f} entities, more than "
        f"{MOST_MEMBERS:,}; expected fewer hops, or {way_out}"
    )
