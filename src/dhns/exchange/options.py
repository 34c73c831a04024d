"""How the files of a source are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dhns.graph.readers.named_triples import Header


@dataclass(frozen=True)
class ReadingOptions:
    """What files do not say themselves.

    Attributes:
        head, relation, tail: the columns of tables, by name or, from 1, by number; None finds them by their words.
        header: whether CSV and TSV begin with one; ``auto`` looks.
        quotes: whether their fields are quoted as in CSV; ``auto``: those of ``.csv``.
        language: of texts that are tagged with one; None takes all.
        attributes: relations of tables whose tails are numbers, dates, texts or images; RDF says it itself.
        categories: relations whose tails are categories.
    """

    head: str | None = None
    relation: str | None = None
    tail: str | None = None
    header: Header = "auto"
    quotes: bool | Literal["auto"] = "auto"
    language: str | None = "en"
    attributes: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    @property
    def literals(self) -> frozenset[str]:
        """Relations of tables that lead to no entity."""
        return self.attributes | self.categories

    @property
    def columns(self) -> dict[str, str]:
        """Those that are named."""
        named = {"head": self.head, "relation": self.relation, "tail": self.tail}
        return {part: name for part, name in named.items() if name is not None}
