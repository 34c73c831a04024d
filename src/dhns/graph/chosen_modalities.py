"""The modalities that a setting is about."""

from __future__ import annotations

from collections.abc import Sequence

from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph


def chosen_modalities(
    graph: KnowledgeGraph, asked: Sequence[str] | None, choice: str, lacking: str, naming: str
) -> tuple[str, ...]:
    """Those that are asked for, or all of a graph.

    Args:
        graph: has them.
        asked: names; null for all.
        choice: ``features=shuffled``, for messages, whose group has the setting ``modalities``.
        lacking: how the message begins where the graph has none.
        naming: how the message begins that names one that the graph lacks.

    Raises:
        InputError: the graph has no modality at all, or lacks one, or none is asked for; or the features of one should
            be there and are not.
    """
    graph.require_features(asked)
    names = tuple(graph.modalities) if asked is None else tuple(asked)
    unknown = [name for name in names if name not in graph.modalities]
    if not graph.modalities:
        raise InputError(f"{lacking}; give some (+dataset.modalities.visual=FILE), or leave {choice} out")
    if unknown or not names:
        raise InputError(
            f"{naming} {repr(unknown[0]) if unknown else 'nothing'}, and {graph.name} has "
            f"{', '.join(graph.modalities)}; change {choice.partition('=')[0]}.modalities, or leave it out"
        )
    return names
