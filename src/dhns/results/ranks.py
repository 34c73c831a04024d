"""The ranks of a run's queries, kept beside its result file: what intervals, paired tests and slices are made of."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from dhns.errors import InputError
from dhns.files import write_bytes

FILE_NAME = "ranks.npz"
_RELATIONS = "relations"


@dataclass(frozen=True)
class RankedQueries:
    """Filtered ranks of the queries of a split, triple by triple, tail before head; each array ``(queries,)``.

    Runs on the same graph have the same queries in the same order. Entities are not named: what stands here tells
    queries apart and groups them, no more.

    Attributes:
        optimistic: int32 rank of the answer, first among equals.
        ties: int32, how many other candidates have the answer's score.
        own: int8 half places that the query's own entity takes before the answer, see `dhns.ranking.ranks.Ranks`.
        head_side: bool, whether the head was asked for.
        relation: int32 id.
        cluster: int32, the same for queries about the same entity.
        popularity: int32 training triples that hold the answer; a self-loop counts twice.
    """

    optimistic: np.ndarray
    ties: np.ndarray
    own: np.ndarray
    head_side: np.ndarray
    relation: np.ndarray
    cluster: np.ndarray
    popularity: np.ndarray

    def __len__(self) -> int:
        return len(self.optimistic)

    @property
    def realistic(self) -> np.ndarray:
        """``(queries,)`` float64: the expected rank when ties are broken at random."""
        ranks: np.ndarray = self.optimistic + self.ties / 2
        return ranks


def write_ranks(path: Path, splits: Mapping[str, RankedQueries], relations: Sequence[str] = ()) -> None:
    """Write the ranks of some splits, and the labels of the relations in id order, whole or not at all."""
    content = io.BytesIO()
    arrays = {f"{split}/{f.name}": getattr(ranked, f.name) for split, ranked in splits.items() for f in fields(ranked)}
    if relations:
        arrays[_RELATIONS] = np.array(relations, dtype=np.str_)
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getbuffer())


def read_ranks(path: Path, only: str | None = None) -> dict[str, RankedQueries]:
    """The ranks by split; of one split alone, if the file has it, in half of the time.

    Raises:
        InputError: the file is missing, damaged, or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            splits = dict.fromkeys(name.partition("/")[0] for name in archive.files if "/" in name)
            return {
                split: RankedQueries(**{f.name: archive[f"{split}/{f.name}"] for f in fields(RankedQueries)})
                for split in splits
                if only in (None, split)
            }
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; runs store their ranks since version 0.2, train again to have them"
        ) from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} holds no readable ranks ({error}); delete it and train again (force=true)") from None


def read_relation_names(path: Path) -> tuple[str, ...]:
    """The labels of the relations in id order; empty where the file has none, as older ones, or cannot be read."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return tuple(archive[_RELATIONS].tolist()) if _RELATIONS in archive.files else ()
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return ()
