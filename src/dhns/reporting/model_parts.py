"""The sections of a page that need the trained model, or why they are not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhns.config.starting_points import BLEND, to_use
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.reporting.examples import Card, Drawn, cards, drawn_map
from dhns.reporting.hardness import Hardness, hardness
from dhns.reporting.material import NONE as NO_MATERIAL
from dhns.reporting.material import Descriptions, descriptions
from dhns.reporting.trained import entity_map, examples, score_quantiles
from dhns.training.blend import Blend
from dhns.training.module import LinkPredictionModule

Model = LinkPredictionModule | Blend
NO_CHECKPOINT = (
    "no checkpoint lies beside this result; the same command with force=true trains again and keeps one, or copy the "
    "folder checkpoints/ of the run here"
)
NO_MEMBERS = "the models of this blend do not lie beside its result; the same dhns blend with force=true puts them here"
NO_MAP_OF_BLEND = "a blend has no embeddings of its own; the reports of its members' runs have a map each"
DIVERGED = "embeddings are not finite: training has diverged, which a lower learning rate may mend"
EXAMPLES = 4
"""Queries answered right, and as many answered wrong."""
KINDS = 5
"""Of entities that have a colour on the map."""


@dataclass(frozen=True)
class ModelParts:
    """What the model tells; a ``no_...`` says why a part of it is not there, and how to have it."""

    right: tuple[Card, ...]
    wrong: tuple[Card, ...]
    no_predictions: str
    no_material: str
    map: Drawn | None
    no_map: str
    hardness: Hardness | None
    no_boxes: str


def model_parts(
    model: Model | InputError, result: Mapping[str, Any], split: str, images: Path | None, texts: Path | None
) -> ModelParts:
    """Examples, map and scores by level.

    Args:
        model: of the run, or why there is none.
        result: of the run.
        split: from which examples are taken.
        images: see `descriptions`.
        texts: likewise.

    Raises:
        InputError: images or texts are not what they should be.
    """
    if isinstance(model, InputError):
        why = str(model)
        return ModelParts((), (), why, "", None, why, hardness(result, None), why)
    described = descriptions(model.graph, images, texts)
    right, wrong, why = _answers(model, split, model.graph, described)
    module = None if isinstance(model, Blend) else model
    found = entity_map(module, KINDS) if module is not None else None
    no_map = "" if found else NO_MAP_OF_BLEND if module is None else DIVERGED
    quantiles = score_quantiles(module) if module is not None and module.generator is not None and found else None
    levels = hardness(result, quantiles)
    drawn = drawn_map(found, model.graph) if found else None
    return ModelParts(right, wrong, why, _without_material(described), drawn, no_map, levels, no_map)


def why_no_model(folder: Path, result: Mapping[str, Any], error: InputError) -> InputError:
    """Why a folder's model cannot be loaded, in words for a page where it simply is not there."""
    if to_use(folder) is not None or (folder / BLEND).is_file():
        return error
    return InputError(NO_MEMBERS if "members" in result["config"] else NO_CHECKPOINT)


def _answers(
    model: Model, split: str, graph: KnowledgeGraph, described: Descriptions
) -> tuple[tuple[Card, ...], tuple[Card, ...], str]:
    """Queries answered right, and wrong; else why there are none."""
    try:
        right, wrong = examples(model, split, EXAMPLES)
    except InputError as error:  # scores that are not finite
        return (), (), str(error)
    return cards(right, graph, described), cards(wrong, graph, described), ""


def _without_material(described: Descriptions) -> str:
    if described.unreadable:
        return f"Images that could not be read: {', '.join(dict.fromkeys(described.unreadable))}."
    return "" if described.images or described.texts else NO_MATERIAL
