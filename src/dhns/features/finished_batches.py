"""Batches that an interrupted extraction has finished."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from dhns.files import write_bytes


class EncodedItems(NamedTuple):
    """Rows ``(n, dim)`` float32 and the numbers ``(n,)`` int64 of the items that they are of."""

    rows: Tensor
    items: Tensor


class FinishedBatches:
    """One file for each finished batch, in a hidden folder beside the features to be.

    The folder is named by what decides the rows, so that rows of another encoder or other material are never taken.

    Args:
        path: of the features to be.
        identity: hash of encoder, material and settings.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.folder = path.with_name(f".{path.name}.{identity[:16]}.partial")

    def load(self, batch: int) -> EncodedItems | None:
        """What was saved; None if nothing was, or if the file is damaged."""
        try:
            tensors = load(self._file(batch).read_bytes())
            return EncodedItems(tensors["rows"], tensors["items"])
        except (FileNotFoundError, SafetensorError, KeyError):
            return None

    def save(self, batch: int, encoded: EncodedItems) -> None:
        """Keep a batch: on disk when this returns."""
        write_bytes(self._file(batch), save(encoded._asdict()))

    def remove(self) -> None:
        """Remove the batches of this and of every other unfinished extraction of the same features."""
        for folder in self.path.parent.glob(f".{self.path.name}.*.partial"):
            shutil.rmtree(folder)

    def _file(self, batch: int) -> Path:
        return self.folder / f"{batch:06}.safetensors"
