"""What splits share: a held-out triple that train or another split also holds measures nothing."""

from __future__ import annotations

from dataclasses import dataclass

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.triple_sets import distinct, occur_in


@dataclass(frozen=True)
class Overlap:
    """Triples that two splits share: how many distinct ones, and how many rows of each split hold them."""

    first: str
    second: str
    triples: int
    rows_of_first: int
    rows_of_second: int

    def rows(self) -> list[tuple[str, str]]:
        """Lines of a table."""
        counts = f"{self.rows_of_first:,} {self.first} rows, {self.rows_of_second:,} {self.second} rows"
        return [(f"{self.first} and {self.second} share", f"{self.triples:,} triples: {counts}")]

    def warnings(self) -> list[str]:
        """A sentence if anything is shared."""
        return [f"{self.triples:,} triples are in both {self.first} and {self.second}"] if self.triples else []


def overlap(graph: KnowledgeGraph, first: str, second: str) -> Overlap:
    """What two splits, given by name, share."""
    one, other = graph.split(first), graph.split(second)
    shared = one[occur_in(one, other, graph)]
    return Overlap(first, second, len(distinct(shared)), len(shared), int(occur_in(other, one, graph).sum()))


@dataclass(frozen=True)
class Contamination:
    """Why a validation set is no hold-out.

    Attributes:
        rows: of the validation set.
        triples: distinct ones among them.
        in_train: distinct validation triples that are training triples.
        in_test: distinct validation triples that are test triples.
    """

    rows: int
    triples: int
    in_train: int
    in_test: int

    @property
    def overlaps(self) -> bool:
        """Selecting on it would reward memorising train or look at test."""
        return self.in_train > 0 or self.in_test > 0

    @property
    def repeats(self) -> bool:
        """Some triples count more than once."""
        return self.triples < self.rows

    @property
    def is_hold_out(self) -> bool:
        """There are triples, each once and nowhere else."""
        return self.rows > 0 and not self.overlaps and not self.repeats


def contamination(graph: KnowledgeGraph) -> Contamination:
    """How far the validation set overlaps with train and test, and repeats itself."""
    in_train = overlap(graph, "valid", "train").triples
    in_test = overlap(graph, "valid", "test").triples
    return Contamination(len(graph.valid), len(distinct(graph.valid)), in_train, in_test)
