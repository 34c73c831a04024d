"""Raw material of entities: a folder of images, or a table of texts."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.features.images import is_image, read_image
from dhns.files import sha256
from dhns.graph.knowledge_graph import Vocabulary
from dhns.graph.text_files import read_lines


class Item(NamedTuple):
    """One text, or the path of one image, of an entity."""

    entity: int
    content: Any


class Material(ABC):
    """Items that describe entities, in the order in which they are encoded.

    Attributes:
        source: name of the file or folder.
        items: of entities of the graph; an entity may have none, one or several.
        unknown: what names no entity of the graph, in words.
    """

    def __init__(self, source: Path, items: Sequence[Item], unknown: Sequence[str]) -> None:
        self.source, self.items, self.unknown = source.name, list(items), list(unknown)

    @property
    def entities(self) -> Tensor:
        """``(items,)`` int64, the entity of each item."""
        return torch.tensor([item.entity for item in self.items], dtype=torch.int64)

    @abstractmethod
    def load(self, number: int) -> Any:
        """What an encoder takes.

        Raises:
            InputError: the item cannot be read; the message names the file.
        """

    @abstractmethod
    def digest(self, item: Item) -> str:
        """SHA-256 of an item's content."""

    def fingerprint(self, entities: Vocabulary) -> str:
        """SHA-256 over the key of the entity and the content of each item."""
        digest = hashlib.sha256()
        for item in self.items:
            digest.update(f"{entities.keys[item.entity]}\t{self.digest(item)}\n".encode())
        return digest.hexdigest()


class TextTable(Material):
    """A TSV file with a header; the first column names the entity, and the column ``text`` has its text.

    If the header calls the first column ``id``, it holds entity ids; otherwise keys or labels. A row without text is no
    item. Several rows of one entity are several items. The longest texts come first, so that those of one batch have
    like lengths, and what does not fit into memory shows at once.

    Raises:
        InputError: the file is malformed, or no row is of an entity of the graph; the message names the line.
    """

    def __init__(self, path: Path, entities: Vocabulary) -> None:
        items, unknown = _items_of_table(path, entities, "text")
        super().__init__(path, sorted(items, key=lambda item: -len(item.content)), unknown)

    def load(self, number: int) -> str:
        return str(self.items[number].content)

    def digest(self, item: Item) -> str:
        return hashlib.sha256(item.content.encode()).hexdigest()


class ImageFolder(Material):
    """A folder of images: ``NAME.png``, or several in a folder ``NAME/``, where NAME is a key, a label or an id.

    A key with a slash in it is a path of folders. Hidden files are passed over.

    Raises:
        InputError: there is no such folder, or no image in it is of an entity of the graph.
    """

    def __init__(self, folder: Path, entities: Vocabulary) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder of images")
        names = EntityNames(entities)
        items, unknown = [], []
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            inside = path.relative_to(folder)
            if any(part.startswith(".") for part in inside.parts):
                continue
            candidates = (inside.with_suffix("").as_posix(), inside.parent.as_posix())
            entity = names.find_first(candidates, str(path)) if is_image(path) else None
            if entity is None:
                unknown.append(inside.as_posix())
            else:
                items.append(Item(entity, path))
        if not items:
            raise InputError(f"{folder}: no image is named as an entity of the graph is{_first(unknown)}")
        super().__init__(folder, sorted(items), unknown)

    def load(self, number: int) -> Any:
        return read_image(self.items[number].content)

    def digest(self, item: Item) -> str:
        return sha256(item.content)


class ImageTable(Material):
    """A TSV file with a header; the first column names the entity, and the column ``image`` the file of its image.

    Paths are relative to the folder of the table, and may be ``file://`` addresses. Those of the web are not fetched:
    they are items that cannot be read.

    Raises:
        InputError: as for `TextTable`.
    """

    def __init__(self, path: Path, entities: Vocabulary) -> None:
        items, unknown = _items_of_table(path, entities, "image")
        placed = (Item(item.entity, item.content if _is_address(item.content) else _file(path, item)) for item in items)
        super().__init__(path, sorted(placed, key=lambda item: (item.entity, str(item.content))), unknown)

    def load(self, number: int) -> Any:
        content = self.items[number].content
        if isinstance(content, Path):
            return read_image(content)
        raise InputError(
            f"{content}: an address, and none is fetched here; fetch the image and name its file in {self.source}, or "
            "leave out all that are unreadable with when_unreadable=skip"
        )

    def digest(self, item: Item) -> str:
        if isinstance(item.content, Path) and item.content.is_file():
            return sha256(item.content)
        return hashlib.sha256(str(item.content).encode()).hexdigest()


class EntityNames:
    """Entities by key, label or id.

    A number is an id only where no key is one, so that the two cannot be mistaken.

    Args:
        entities: of the graph.
        by_id: every name is an id.
    """

    def __init__(self, entities: Vocabulary, by_id: bool = False) -> None:
        self.entities, self.by_id = entities, by_id
        self.numbers_are_ids = by_id or not any(key.isdecimal() for key in entities.keys)

    def find(self, name: str, place: str) -> int | None:
        """The entity of that name; None if there is none.

        Raises:
            InputError: several entities have the name; the message starts with ``place``.
        """
        found = [] if self.by_id else self.entities.named(name)
        if len(found) > 1:
            keys = ", ".join(self.entities.keys[index] for index in found[:5])
            raise InputError(f"{place}: entity '{name}' is ambiguous: {keys}; give the key or the id instead")
        if found:
            return found[0]
        is_id = self.numbers_are_ids and name.isdecimal() and int(name) < len(self.entities)
        return int(name) if is_id else None

    def find_first(self, names: Iterable[str], place: str) -> int | None:
        """The entity of the first name that one has; see `find`."""
        return next((entity for name in names if (entity := self.find(name, place)) is not None), None)


def _items_of_table(path: Path, entities: Vocabulary, column: str) -> tuple[list[Item], list[str]]:
    """What stands in a column of a TSV file, by entity, and what names none; see `TextTable`."""
    header, *lines = read_lines(path)
    columns = header.split("\t")
    if column not in columns[1:]:
        raise InputError(f"{path}, line 1: '{header}'; the header must be 'entity<TAB>{column}' or 'id<TAB>{column}'")
    names, place = EntityNames(entities, by_id=columns[0] == "id"), columns.index(column)
    items, unknown = [], []
    for number, line in enumerate(lines, start=2):
        fields = line.split("\t")
        if len(fields) > len(columns):
            raise InputError(f"{path}, line {number}: {len(fields)} columns, expected {len(columns)} as in line 1")
        words = fields[place].strip() if len(fields) > place else ""
        if (entity := names.find(fields[0], f"{path}, line {number}")) is None:
            unknown.append(f"line {number} ({fields[0]})")
        elif words:
            items.append(Item(entity, words))
    if not items:
        kind = "an image" if column == "image" else "a text"
        raise InputError(f"{path}: no row has {kind} of an entity of the graph{_first(unknown)}")
    return items, unknown


def _is_address(text: str) -> bool:
    return "://" in text and not text.startswith("file://")


def _file(table: Path, item: Item) -> Path:
    text = item.content
    return table.parent / Path(unquote(urlsplit(text).path) if text.startswith("file://") else text).expanduser()


def _first(unknown: Sequence[str]) -> str:
    return f"; the first of {len(unknown)} that are of none: {unknown[0]}" if unknown else ""
