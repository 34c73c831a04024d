"""Triples for other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from dhns.extras import optional


class Edges(NamedTuple):
    """Triples as PyTorch Geometric takes them.

    Attributes:
        edge_index: ``(2, n)`` int64, heads above tails.
        edge_type: ``(n,)`` int64 relations.
    """

    edge_index: Tensor
    edge_type: Tensor


def to_frame(splits: Mapping[str, Tensor], entities: Sequence[str], relations: Sequence[str]) -> Any:
    """A data frame of pandas with the columns head, relation, tail and split.

    Args:
        splits: ``(n, 3)`` ids by name.
        entities: names by id.
        relations: likewise.

    Raises:
        InputError: pandas is not installed.
    """
    pandas = optional("pandas", "to_pandas", "exchange")
    rows = [(entities[h], relations[r], entities[t], name) for name, ids in splits.items() for h, r, t in ids.tolist()]
    return pandas.DataFrame(rows, columns=["head", "relation", "tail", "split"])


def to_factory(triples: Tensor, entities: Mapping[str, int], relations: Mapping[str, int]) -> Any:
    """A triples factory of PyKEEN, of the same ids.

    Args:
        triples: ``(n, 3)`` ids.
        entities: ids by name.
        relations: likewise.

    Raises:
        InputError: PyKEEN is not installed.
    """
    pykeen = optional("pykeen.triples", "to_pykeen")
    return pykeen.TriplesFactory(triples, entity_to_id=dict(entities), relation_to_id=dict(relations))
