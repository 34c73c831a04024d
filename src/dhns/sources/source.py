"""What is published of a data set: names, sizes, SHA-256 and addresses of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dhns.errors import InputError
from dhns.files import sha256
from dhns.names import plain_name

Status = Literal["ok", "missing", "differs"]


@dataclass(frozen=True)
class PublishedFile:
    """A file that is known by its content.

    Args:
        name: of the file in the folder of the data set.
        bytes: its size.
        sha256: of its content, in hexadecimal.
        url: where it can be fetched, over HTTP; None where no address is known.
        by_hand: in words, where a person finds it, if not at the ``url`` alone.
        optional: whether the graph can be read without it.
        modality: that a feature tensor describes.
        entities: how many entities have that modality, as the paper counts them.
    """

    name: str
    bytes: int
    sha256: str
    url: str | None = None
    by_hand: str | None = None
    optional: bool = False
    modality: str | None = None
    entities: int | None = None

    def __post_init__(self) -> None:
        plain_name(self.name)
        if self.modality is not None:
            plain_name(self.modality)
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise InputError(f"{self.name}: sha256 is '{self.sha256}'; expected 64 hexadecimal digits in lower case")
        if self.url is not None and not self.url.startswith(("https://", "http://")):
            raise InputError(f"{self.name}: url is '{self.url}'; expected an address that starts with https://")

    @property
    def features(self) -> str | None:
        """Name of the feature file that an official tensor is converted to; None of other files."""
        return None if self.modality is None else f"{self.modality}-official.safetensors"


@dataclass(frozen=True)
class Check:
    """A file as it lies in a folder, against what is published; ``found`` is its size and SHA-256, if it is there."""

    file: PublishedFile
    status: Status
    found: tuple[int, str] | None


class Source:
    """The published files of one data set.

    Args:
        dataset: its name, which is also that of its folder in a mirror.
        files: keyword arguments of :class:`PublishedFile`.

    Raises:
        InputError: a file has an unknown or a missing key, or a bad value.
    """

    def __init__(self, dataset: str, files: Sequence[Mapping[str, Any]]) -> None:
        self.dataset = plain_name(dataset)
        try:
            self.files = tuple(PublishedFile(**file) for file in files)
        except TypeError as error:
            reason = str(error).replace("PublishedFile.__init__()", "an entry")
            raise InputError(f"source.files of {dataset}: {reason}") from None

    def absent(self, folder: Path) -> list[PublishedFile]:
        """The files that the graph needs and the folder lacks; the content of those that are there is not looked at."""
        return [file for file in self.files if not file.optional and not (folder / file.name).is_file()]

    def check(self, folder: Path) -> list[Check]:
        """Each file of the folder against what is published."""
        return [check_file(file, folder / file.name) for file in self.files]


def check_file(file: PublishedFile, path: Path) -> Check:
    """Compare a file on disk by size and SHA-256."""
    if not path.is_file():
        return Check(file, "missing", None)
    found = path.stat().st_size, sha256(path)
    return Check(file, "ok" if found == (file.bytes, file.sha256) else "differs", found)
