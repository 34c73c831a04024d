"""The names of the relations that ranks give by id."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate

from dhns.config.composition import composed, told
from dhns.errors import InputError
from dhns.resources import conf_dir
from dhns.results.ranks import FILE_NAME, read_relation_names
from dhns.results.systems import DataSet

if TYPE_CHECKING:
    from dhns.graph.knowledge_graph import KnowledgeGraph


def relation_names(data: DataSet, data_sets: Path | None = None) -> Sequence[str]:
    """Labels in id order, as a run of the data set keeps them, or as the files of a published one say.

    Args:
        data: whose results share their relations.
        data_sets: folder in which published data sets lie; those of older runs, which keep no names, are read there.

    Returns:
        Empty where neither tells.
    """
    for system in data.systems:
        for folder in system.runs:
            if names := read_relation_names(folder / FILE_NAME):
                return names
    return _published_names(data, data_sets) if data_sets is not None else ()


def _published_names(data: DataSet, data_sets: Path) -> Sequence[str]:
    """By today's configuration of the data set: what a stored result would have called is not looked at."""
    choice = data.name.lower().replace("-", "_")
    if not (conf_dir() / "dataset" / f"{choice}.yaml").is_file():
        return ()
    from dhns.graph.fingerprint import key_fingerprint  # imports torch, which a table of results does not need

    config = composed("data", {"dataset": choice}, {"paths.data": str(data_sets)}).dataset
    if config.get("name") != data.name:
        return ()
    try:
        with told():  # or the reader's error would come wrapped in one of Hydra's
            graph: KnowledgeGraph = instantiate(config, modalities=None)
    except InputError:  # it is not there
        return ()
    return graph.relations.labels if key_fingerprint(graph.relations) == data.fingerprints.get("relations") else ()
