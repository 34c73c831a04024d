"""Keys and labels of entities and relations, from files of names, ids and texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Vocabulary
from dhns.graph.spelling import plain_spelling
from dhns.graph.text_files import read_counted, read_lines, read_table, require_columns, require_distinct, to_integers

_PLURAL = {"entity": "entities", "relation": "relations"}
_KEY_WORDS = frozenset(("key", "id", "name", "uri", "mid", "node", "entity", "relation", "entityid", "relationid"))
_LABEL_WORDS = frozenset(("label", "name", "text", "title", "description"))


def read_vocabulary(
    folder: Path, kind: str, names: Collection[str], normalize: bool = False
) -> tuple[Vocabulary, list[str], bool]:
    """Keys and labels of entities or relations that stand in triples by name.

    The ids follow the rows of ``entities.tsv`` (``key<TAB>label``), else ``entity2id.txt`` (``name id``), else the
    sorted names. What the two files list beyond the names of triples has an id, too. Labels are those of
    ``entities.tsv``, else of ``entity2text.txt`` (``key<TAB>text``), else the keys. Likewise for relations.

    Args:
        folder: of the files.
        kind: ``entity`` or ``relation``.
        names: in the triples, each once.
        normalize: write keys in their plain spelling.

    Returns:
        The vocabulary, what was guessed of it, in sentences, and whether a file fixes its ids.

    Raises:
        InputError: a file is malformed; the message names the line.
    """
    table, ids, texts = folder / f"{_PLURAL[kind]}.tsv", folder / f"{kind}2id.txt", folder / f"{kind}2text.txt"
    spell = plain_spelling if normalize else str
    if table.is_file():
        keys, labels, notes = _read_table_of_names(table, names, spell)
        return make_vocabulary(kind, keys, labels), notes, True
    keys = list(map(spell, read_ids(ids, kind))) if ids.is_file() else sorted(names)
    if not texts.is_file():
        return make_vocabulary(kind, keys), [], ids.is_file()
    labels, notes = read_texts(texts, kind, keys, spell)
    return make_vocabulary(kind, keys, labels), notes, ids.is_file()


def make_vocabulary(kind: str, keys: Sequence[str], labels: Sequence[str] | None = None) -> Vocabulary:
    """Where a label is blank, the key stands in."""
    labels = [label if label.strip() else key for key, label in zip(keys, labels or keys, strict=True)]
    return Vocabulary(kind, tuple(keys), tuple(labels))


def read_ids(path: Path, kind: str) -> list[str]:
    """The names of a file of rows ``name id``, in the order of the ids; its first line may be the number of rows.

    Raises:
        InputError: a row is malformed, a name or an id occurs twice, or the ids do not go from 0 to n - 1.
    """

    def split(line: str) -> list[str]:
        return line.rsplit(maxsplit=1)

    if len(read_lines(path)[0].split()) == 1:
        rows, first_line = read_counted(path, "name id", split), 2
    else:
        rows, first_line = list(map(split, read_lines(path))), 1
        require_columns(path, rows, "name id", first_line)
    ids = to_integers(path, [row[1:] for row in rows], "id", first_line).flatten().tolist()
    names = [row[0] for row in rows]
    require_distinct(path, names, f"{kind} name", first_line)
    return in_id_order(path, kind, ids, names, first_line)


def read_texts(
    path: Path, kind: str, keys: Sequence[str], spell: Callable[[str], str] = str
) -> tuple[list[str], list[str]]:
    """The text of each key, blank where there is none, from rows ``key<TAB>text``, and what lacks, in a sentence.

    Raises:
        InputError: a row has no tab, or repeats a key.
    """
    named, texts = read_pairs(path, read_table(path), ("key", "text"), first_line=1)
    text = dict(zip(map(spell, named), texts, strict=True))
    lacking = sum(key not in text for key in keys)
    note = f"{path.name} has no text of {lacking:,} of {len(keys):,} {_PLURAL[kind]}; their keys are their labels"
    return [text.get(key, "") for key in keys], [note] if lacking else []


def read_pairs(
    path: Path, rows: Sequence[Sequence[str]], columns: tuple[str, str], first_line: int
) -> tuple[list[str], list[str]]:
    """The first two columns of a table; further ones are ignored.

    Raises:
        InputError: a row has no second column or no key, or repeats a key; the message names the line.
    """
    key = columns[0]
    for index, row in enumerate(rows):
        if len(row) < 2 or not row[0].strip():
            fault = "has no tab" if len(row) < 2 else f"has no {key}"
            raise InputError(
                f"{path}, line {index + first_line}: '{'<TAB>'.join(row)}' {fault}; expected '{'<TAB>'.join(columns)}'"
            )
    keys = [row[0] for row in rows]
    require_distinct(path, keys, key, first_line)
    return keys, [row[1] for row in rows]


def in_id_order(path: Path, kind: str, ids: Sequence[int], values: Sequence[str], first_line: int) -> list[str]:
    """``values`` in the order of their ids, which must be 0 to n - 1, each once.

    Raises:
        InputError: they are not; the message names the line.
    """
    outside = next((row for row, index in enumerate(ids) if not 0 <= index < len(ids)), None)
    if outside is not None:
        raise InputError(
            f"{path}, line {outside + first_line}: {kind} id {ids[outside]} is out of range; the ids of {len(ids)} "
            f"rows go from 0 to {len(ids) - 1}"
        )
    require_distinct(path, list(map(str, ids)), f"{kind} id", first_line)
    ordered = [""] * len(ids)
    for index, value in zip(ids, values, strict=True):
        ordered[index] = value
    return ordered


def _read_table_of_names(
    path: Path, used: Collection[str], spell: Callable[[str], str]
) -> tuple[list[str], list[str], list[str]]:
    """Keys and labels of ``entities.tsv``, with or without a header, and what was taken for one, in words."""
    rows = read_table(path)
    documented = rows[0][:2] == ["key", "label"]
    header = documented or (spell(rows[0][0]) not in used and _reads_like_header(rows[0]))
    keys, labels = read_pairs(path, rows[header:], ("key", "label"), 1 + header)
    keys = list(map(spell, keys))
    require_distinct(path, keys, "key", 1 + header)
    note = (
        f"{path.name}: the first row, '{' '.join(rows[0])}', was taken for a header and left out (the header "
        "'key<TAB>label' above it keeps it)"
    )
    return keys, labels, [note] if header and not documented else []


def _reads_like_header(row: Sequence[str]) -> bool:
    words = [re.sub(r"[\W_]", "", field.casefold()) for field in row]
    return len(words) > 1 and words[0] in _KEY_WORDS and words[1] in _LABEL_WORDS
