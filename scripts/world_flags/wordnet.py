"""A minimal reader of the WordNet noun files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Numbers of the lexicographer files that matter here (`lexnames` of WordNet).
LEXICOGRAPHER_FILES = {
    "07": "attribute",
    "10": "communication",
    "14": "group",
    "15": "location",
    "17": "object",
    "21": "possession",
    "23": "quantity",
}


@dataclass(frozen=True)
class Synset:
    """One noun sense: its words, its gloss and its pointers to other nouns."""

    offset: str
    file: str
    words: tuple[str, ...]
    pointers: tuple[tuple[str, str], ...]
    gloss: str

    @property
    def label(self) -> str:
        """The first word, with blanks."""
        return self.words[0].replace("_", " ")

    @property
    def definition(self) -> str:
        """The gloss without its usage examples."""
        return self.gloss.split('; "')[0].strip()

    def targets(self, *symbols: str) -> list[str]:
        """Offsets that pointers of these kinds lead to, in the order of the file."""
        return [offset for symbol, offset in self.pointers if symbol in symbols]


class WordNet:
    """The nouns of WordNet, by offset and by word."""

    def __init__(self, folder: Path) -> None:
        self.synsets = {s.offset: s for s in map(_parse_synset, _records(folder / "data.noun"))}
        self._index = dict(map(_parse_index, _records(folder / "index.noun")))

    def senses(self, word: str) -> list[Synset]:
        """Senses of a word, most frequent first."""
        return [self.synsets[offset] for offset in self._index.get(word.lower(), ())]

    def follow(self, synset: Synset, *symbols: str) -> list[Synset]:
        """Synsets that pointers of these kinds lead to."""
        return [self.synsets[offset] for offset in synset.targets(*symbols)]


def _records(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as lines:
        # The licence at the top of each file is indented.
        yield from (line for line in lines if not line.startswith(" "))


def _parse_synset(line: str) -> Synset:
    fields, _, gloss = line.partition(" | ")
    offset, file, _, word_count, *rest = fields.split()
    words = 2 * int(word_count, 16)
    pointers = rest[words + 1 :]
    return Synset(
        offset=offset,
        file=LEXICOGRAPHER_FILES.get(file, ""),
        words=tuple(rest[:words:2]),
        pointers=tuple(
            (symbol, target)
            for symbol, target, pos in zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
            if pos == "n"
        ),
        gloss=gloss.strip(),
    )


def _parse_index(line: str) -> tuple[str, list[str]]:
    word, _, sense_count, *rest = line.split()
    return word, rest[-int(sense_count) :]
