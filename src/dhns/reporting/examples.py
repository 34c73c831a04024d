"""Answers and embeddings with the names, texts and images of entities, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.reporting.material import Descriptions
from dhns.reporting.trained import EntityMap, Example

NAMED = 8
"""Entities whose names stand on the map, of the most linked ones."""
MAP_WIDTH, MAP_HEIGHT = 640.0, 440.0
_MARGIN = 14.0
_APART = (0.16, 0.055)
"""Least distance of two names on the map, as shares of its width and height."""
TEXT = 240
"""Characters of a text that are shown."""


@dataclass(frozen=True)
class Shown:
    """An entity."""

    label: str
    image: str | None
    text: str


@dataclass(frozen=True)
class CardAnswer:
    """An answer in its place."""

    rank: str
    entity: Shown
    score: str
    is_true: bool
    after_gap: bool


@dataclass(frozen=True)
class Card:
    """A query, as head, relation and tail of which one is a question mark, and its answers."""

    query: tuple[str, str, str]
    given: Shown
    rank: str
    answers: tuple[CardAnswer, ...]


@dataclass(frozen=True)
class Point:
    """An entity on the map."""

    x: float
    y: float
    colour: int
    label: str


@dataclass(frozen=True)
class Name:
    """A name on the map, in percent of its size."""

    left: float
    top: float
    label: str


@dataclass(frozen=True)
class Drawn:
    """A map of embeddings.

    Attributes:
        shares: of the variance, by axis, in percent.
        kinds: colour, what entities of it are, and how many.
        entities: on the map, of how many.
    """

    points: tuple[Point, ...]
    names: tuple[Name, ...]
    shares: tuple[str, str]
    kinds: tuple[tuple[int, str, int], ...]
    entities: tuple[int, int]
    width: float = MAP_WIDTH
    height: float = MAP_HEIGHT


def cards(found: Sequence[Example], graph: KnowledgeGraph, described: Descriptions) -> tuple[Card, ...]:
    """Examples with all that is known of their entities."""

    def shown(entity: int) -> Shown:
        text = described.texts.get(entity, "")
        text = "" if text == graph.entities.labels[entity] else text
        short = text if len(text) <= TEXT else f"{text[:TEXT].rsplit(' ', 1)[0]} …"
        return Shown(graph.entities.labels[entity], described.image(entity), short)

    made = []
    for each in found:
        query, answers, before = each.query, [], 0.0
        for answer in each.answers:
            gap = answer.rank > before + 1
            answers.append(
                CardAnswer(f"{answer.rank:g}", shown(answer.entity), f"{answer.score:.2f}", answer.is_true, gap)
            )
            before = answer.rank
        ends = [None if part is None else graph.entities.labels[part] for part in (query.head, query.tail)]
        given = query.head if query.head is not None else query.tail
        assert given is not None
        assert query.relation is not None
        words = (ends[0] or "?", graph.relations.labels[query.relation], ends[1] or "?")
        made.append(Card(words, shown(given), f"{each.rank:g}", tuple(answers)))
    return tuple(made)


def drawn_map(found: EntityMap, graph: KnowledgeGraph) -> Drawn:
    """The map in the units of the page; the less linked entities are drawn first, beneath the others."""
    low, high = found.places.min(0), found.places.max(0)
    shares = (found.places - low) / (high - low).clip(min=1e-12)
    labels = graph.entities.labels
    points = [
        Point(
            round(_MARGIN + x * (MAP_WIDTH - 2 * _MARGIN), 1),
            round(MAP_HEIGHT - _MARGIN - y * (MAP_HEIGHT - 2 * _MARGIN), 1),
            kind + 1,
            labels[entity],
        )
        for entity, (x, y), kind in zip(found.entities.tolist(), shares.tolist(), found.kind.tolist(), strict=True)
    ]
    names: list[Name] = []
    for point in points:
        left, top = point.x / MAP_WIDTH, point.y / MAP_HEIGHT
        free = all(abs(left - n.left / 100) > _APART[0] or abs(top - n.top / 100) > _APART[1] for n in names)
        if free and 0.04 < top < 0.96 and len(names) < NAMED and point.label.strip():
            names.append(Name(round(100 * left, 2), round(100 * top, 2), point.label))
    kinds = [
        (number, f"{'head' if is_head else 'tail'} of {graph.relations.labels[relation]}", count)
        for number, ((relation, is_head), count) in enumerate(zip(found.kinds, found.counts, strict=True), start=1)
    ]
    others = len(points) - sum(found.counts)
    return Drawn(
        tuple(reversed(points)),
        tuple(names),
        (f"{100 * found.shares[0]:.0f}", f"{100 * found.shares[1]:.0f}"),
        (*kinds, *([(0, "of other relations, or none", others)] if others else [])),
        (len(points), graph.num_entities),
    )
