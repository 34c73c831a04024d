"""Names that read alike: they differ only in spacing, Unicode form or case, and are different names all the same."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

from dhns.graph.knowledge_graph import Vocabulary

NORMALIZE = "dataset.normalize=true makes them one"
_INVISIBLE = frozenset("\u00ad\u200b\u2060\ufeff")  # soft hyphen, zero-width spaces, byte order mark


def plain_spelling(name: str) -> str:
    """The name in Unicode's composed form (NFC), without spaces at its ends, and with single ones inside."""
    if not name.isascii():
        name = unicodedata.normalize("NFC", name)
        if not _INVISIBLE.isdisjoint(name):
            name = "".join(letter for letter in name if letter not in _INVISIBLE)
    return " ".join(name.split()) or name


def read_alike(names: Sequence[str], spelling: Callable[[str], str]) -> list[list[str]]:
    """The groups of two or more different ``names`` that have one spelling, in the order of their first names."""
    spelled = list(map(spelling, names))
    if len(set(spelled)) == len(names):
        return []
    uses = Counter(spelled)
    groups: dict[str, list[str]] = {}
    for name, plain in zip(names, spelled, strict=True):
        if uses[plain] > 1:
            groups.setdefault(plain, []).append(name)
    return list(groups.values())


def shown(one: str, other: str) -> str:
    """Two names in quotes, by character codes where they would look the same."""
    quote = ascii if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other) else repr
    return f"{quote(one)} and {quote(other)}"


def spelling_notes(*vocabularies: Vocabulary, advice: str) -> list[str]:
    """A sentence for each vocabulary that has keys that differ only in spacing or Unicode form.

    Args:
        vocabularies: of entities, relations.
        advice: how to make them one.
    """
    notes = []
    for names in vocabularies:
        if groups := read_alike(names.keys, plain_spelling):
            count = sum(map(len, groups))
            notes.append(
                f"{count} {names.kind} names differ from another only in spacing or Unicode form, such as "
                f"{shown(*groups[0][:2])}; they count as different ({advice})"
            )
    return notes
