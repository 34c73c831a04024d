"""The HDF5 feature packs of MMRNS, matched to the entities of a graph by name.

Layout (quqxui/MMRNS, dataloader.py): one dataset per entity, ``(sentences, 384)`` for texts and ``(24, 383)`` for image
tokens, in a type of floating point. Its name is that of a DBpedia article, or ``m.<id>`` for Freebase. Names of other
graphs are found in a file of links: ``ent_links`` has rows ``<DBpedia URI><TAB><name in the graph>``,
``DB15K_SameAsLink.txt`` rows ``/m/<id> <relation> <name in the graph> .``. How the published tensors were pooled from
such rows is not known; here it is their mean.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dhns.errors import InputError
from dhns.graph.knowledge_graph import Modality
from dhns.graph.text_files import read_lines

_DBPEDIA = "http://dbpedia.org/resource/"
Links = Mapping[str, str | None]
"""Names elsewhere to names in a graph; None where a name is linked to more than one."""


@dataclass(frozen=True)
class Matching:
    """Which rows of a pack belong to which entities.

    Attributes:
        modality: features and mask of the graph's entities.
        unknown: names of the pack that lead to no entity.
        ambiguous: names left out, for they lead to several entities, or share one with another name.
        empty: names without any row.
    """

    modality: Modality
    unknown: Sequence[str]
    ambiguous: Sequence[str]
    empty: Sequence[str]

    def rows(self) -> Iterator[tuple[str, str]]:
        """For a table of two columns."""
        have = int(self.modality.present.sum())
        yield "entities with features", f"{have:,}"
        yield "entities without", f"{len(self.modality.present) - have:,}"
        for text, names in (
            ("names of no entity", self.unknown),
            ("left out: several entities, or several names", self.ambiguous),
            ("left out: no rows", self.empty),
        ):
            shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
            yield text, f"{len(names):,}{f': {shown}' if names else ''}"


def read_pack(path: Path, entities: Sequence[str], links: Links) -> Matching:
    """The features of a pack for the entities of a graph, the mean of the rows of each.

    Args:
        path: of the HDF5 file.
        entities: their names in id order.
        links: from names of the pack, see `read_links`; may be empty.

    Raises:
        InputError: h5py is not installed; the file is no HDF5, refers to other files, or has rows of different widths
            or values that are not finite; not a single name leads to an entity.
    """
    ids = {_bare(name): index for index, name in enumerate(entities)}
    found: dict[str, int] = {}
    vectors: dict[str, np.ndarray] = {}
    unknown, ambiguous, empty = [], [], []
    for name, rows in _datasets(path):
        targets = {links.get(alias, alias) for alias in _aliases(name)}
        matches = {ids[target] for target in targets if target in ids}
        if len(matches) > 1 or None in targets:
            ambiguous.append(name)
        elif not matches:
            unknown.append(name)
        elif len(rows) == 0:
            empty.append(name)
        else:
            found[name], vectors[name] = matches.pop(), _mean(path, name, rows)
    uses = Counter(found.values())
    ambiguous += [name for name, index in found.items() if uses[index] > 1]
    kept = [name for name, index in found.items() if uses[index] == 1]
    if not kept:
        some = next(iter([*unknown, *ambiguous, *empty]), "nothing")
        raise InputError(
            f"{path}: no name leads to an entity; the file has names like {some!r}, the graph like '{entities[0]}'. "
            "Give the file that links them by links=FILE, MMRNS's ent_links or DB15K_SameAsLink.txt"
        )
    return Matching(_aligned(path, [(found[k], vectors[k]) for k in kept], len(entities)), unknown, ambiguous, empty)


def read_links(path: Path) -> Links:
    """Links of names, two columns separated by a tab, or four by blanks of which the first and third count.

    Raises:
        InputError: the file is missing, or a line has other columns.
    """
    links: dict[str, str | None] = {}
    for number, line in enumerate(read_lines(path), start=1):
        columns = line.split("\t") if "\t" in line else line.split()[0::2]
        if len(columns) != 2:
            raise InputError(
                f"{path}, line {number}: '{line}'; expected NAME<TAB>ENTITY, or NAME RELATION ENTITY and a full stop"
            )
        name, entity = map(_bare, columns)
        links[name] = entity if links.get(name, entity) == entity else None
    return links


def _datasets(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and content ``(rows, dim)`` of every dataset; one named ``AC/DC`` lies in a group ``AC``."""
    try:
        import h5py
    except ImportError:
        raise InputError("HDF5 files need h5py: pip install h5py (the extra hdf5)") from None
    try:
        with h5py.File(path, "r") as file:
            names: list[str] = []
            # visits what is stored in this file; links to other files are not followed
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
            for name in names:
                yield name, _content(path, name, file[name])
    except OSError as error:
        raise InputError(f"{path}: cannot be read as HDF5: {error}") from error


def _content(path: Path, name: str, dataset: Any) -> np.ndarray:
    if dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: '{name}' refers to data in other files, which are not read")
    if dataset.dtype.kind != "f" or dataset.ndim not in (1, 2):
        raise InputError(
            f"{path}: '{name}' is {dataset.dtype} of shape {dataset.shape}; expected floating point of (rows, dim)"
        )
    content: np.ndarray = np.atleast_2d(dataset[()])
    return content


def _aliases(name: str) -> Iterator[str]:
    yield name
    yield _DBPEDIA + name
    if name.startswith("m."):
        yield "/m/" + name.removeprefix("m.")


def _bare(name: str) -> str:
    """A name without the angle brackets of a URI."""
    return name.strip().removeprefix("<").removesuffix(">")


def _mean(path: Path, name: str, rows: np.ndarray) -> np.ndarray:
    mean: np.ndarray = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    if not np.isfinite(mean).all():
        raise InputError(f"{path}: '{name}' holds NaN or infinite values")
    return mean


def _aligned(path: Path, vectors: Sequence[tuple[int, np.ndarray]], num_entities: int) -> Modality:
    widths = {len(vector) for _, vector in vectors}
    if len(widths) > 1:
        raise InputError(f"{path}: rows have {', '.join(map(str, sorted(widths)))} columns; expected the same number")
    features = torch.zeros(num_entities, widths.pop())
    present = torch.zeros(num_entities, dtype=torch.bool)
    for index, vector in vectors:
        features[index] = torch.from_numpy(vector)
        present[index] = True
    return Modality(features, present)
