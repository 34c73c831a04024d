"""Statements as they are read: triples as ids in memory, values in a file."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TextIO

import numpy as np

from dhns.graph.attributes import to_number

Kind = Literal["label", "text", "number", "category", "image"]
_BREAKS = re.compile(r"[\t\n\r]")
_IMAGE = re.compile(r"\.(?:jpe?g|png|gif|webp|bmp|tiff?|svg)(?:\?[^/]*)?$", re.IGNORECASE)


class Gathering:
    """What the files of a source say, in the order in which they are read.

    A triple takes 12 bytes, and every name is held once. Values of attributes go to a file until it is known which of
    the names stand in triples.

    Args:
        spool: text file for values, open for reading and writing.

    Attributes:
        split: that what is read now belongs to; None if the source is not split.
        rows: by split, the ids of head, relation and tail of each triple, one after another.
        entities, relations: the id of each name, in the order in which they came.
        statements: how many were read.
        blank_nodes: how many things without a name.
        renamed: names with tabs or line ends, for which spaces stand.
        of_values: relations of values that were asked for by name.
        left_out: how many statements of which kind were not taken, by reason and detail.
        notes: what was guessed, in sentences.
    """

    def __init__(self, spool: TextIO) -> None:
        self.spool = spool
        self.split: str | None = None
        self.rows: dict[str | None, array[int]] = {}
        self.entities: dict[str, int] = {}
        self.relations: dict[str, int] = {}
        self.statements = 0
        self.blank_nodes = 0
        self.renamed: set[str] = set()
        self.of_values: set[str] = set()
        self.left_out: Counter[tuple[str, str]] = Counter()
        self.notes: list[str] = []

    def start(self, split: str | None) -> None:
        """What follows belongs to this split."""
        self.split = split
        self.rows.setdefault(split, array("i"))

    def triple(self, head: str, relation: str, tail: str) -> None:
        """Add a triple of names."""
        self.statements += 1
        known = self.entities
        self.rows[self.split].extend(
            (
                known[head] if head in known else self._new(known, head),
                self.relations[relation] if relation in self.relations else self._new(self.relations, relation),
                known[tail] if tail in known else self._new(known, tail),
            )
        )

    def triples(self, heads: Sequence[str], relations: Sequence[str], tails: Sequence[str], places: np.ndarray) -> None:
        """Add ``places (n, 3)`` of names in three lists."""
        self.statements += len(places)
        ids = np.empty(places.shape, dtype=np.intc)
        for column, names in enumerate((heads, relations, tails)):
            known = self.relations if column == 1 else self.entities
            found = {place: self._id(known, names[place]) for place in np.unique(places[:, column]).tolist()}
            lookup = np.zeros(len(names), dtype=np.intc)
            lookup[list(found)] = list(found.values())
            ids[:, column] = lookup[places[:, column]]
        self.rows[self.split].frombytes(ids.tobytes())

    def value(self, kind: Kind, entity: str, attribute: str, text: str) -> None:
        """Add a value of an entity; a text without words is left out."""
        self.statements += 1
        words = " ".join(text.split())
        if not words:
            self.leave_out("empty texts")
            return
        if kind == "category" and to_number(words) is not None:
            words = f"value {words}"  # a table of attributes would take it for a number
        self.spool.write(f"{kind}\t{one_line(entity)}\t{one_line(attribute)}\t{words}\n")

    def value_of_table(self, entity: str, attribute: str, text: str, categories: Iterable[str]) -> None:
        """Add a value that says by its form alone what it is."""
        self.of_values.add(attribute)
        if attribute in categories:
            kind: Kind = "category"
        elif to_number(text) is not None:
            kind = "number"
        else:
            kind = "image" if is_image(text) else "text"
        self.value(kind, entity, attribute, text)

    def leave_out(self, reason: str, detail: str = "", number: int = 1) -> None:
        """Count what is not taken."""
        self.left_out[reason, detail] += number

    def _id(self, known: dict[str, int], name: str) -> int:
        return known[name] if name in known else self._new(known, name)

    def _new(self, known: dict[str, int], name: str) -> int:
        line = one_line(name)
        if line != name:
            self.renamed.add(name)
        return known.setdefault(line, len(known))


def one_line(name: str) -> str:
    """The name with a space for each tab and line end, which no TSV file could hold."""
    return _BREAKS.sub(" ", name)


def is_image(text: str) -> bool:
    """Whether an address or a path ends as an image does."""
    return _IMAGE.search(text) is not None
