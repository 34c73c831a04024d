"""From the draft to the stored graph: core, unique labels, ids and splits."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass

from .facts import Draft, Entity, Triple

# Entities that need company; any other needs two triples.
DEMANDING = {"country", "subdivision", "language", "place"}
HELD_OUT_SHARE = 0.1
MIN_ENTITY, MIN_RELATION = 1, 10


@dataclass(frozen=True)
class Graph:
    """Entities and relations in id order, triples by split as (head, relation, tail) id strings."""

    entities: list[Entity]
    relations: list[str]
    splits: dict[str, list[Triple]]


def finish(draft: Draft) -> Graph:
    """Cut the draft down to its core and split it."""
    triples = core(draft)
    entities = [draft.entities[name] for name in sorted({name for h, _, t in triples for name in (h, t)})]
    _make_labels_unique(entities, triples)
    return Graph(entities, sorted({r for _, r, _ in triples}), split(triples))


def core(draft: Draft) -> set[Triple]:
    """Drop triples of sparsely linked entities until none is left."""
    triples = draft.triples
    while True:
        degree = Counter(name for h, _, t in triples for name in (h, t))
        rich = {n for n, count in degree.items() if count >= (3 if draft.entities[n].kind in DEMANDING else 2)}
        kept = {triple for triple in triples if triple[0] in rich and triple[2] in rich}
        if kept == triples:
            return kept
        triples = kept


def _make_labels_unique(entities: list[Entity], triples: set[Triple]) -> None:
    """Tell namesakes apart by their kind, and those of one kind by where they lie."""
    label_of = {e.key: e.label for e in entities}
    whole: dict[str, str] = {}
    for head, relation, tail in sorted(triples):
        if relation == "part_of":
            whole.setdefault(head, label_of[tail])
    of_label = Counter(e.label for e in entities)
    of_label_and_kind = Counter((e.label, e.kind) for e in entities)
    for entity in entities:
        if of_label_and_kind[label_of[entity.key], entity.kind] > 1:
            entity.label += f" ({whole[entity.key]})"
        elif of_label[label_of[entity.key]] > 1:
            entity.label += f" ({entity.kind})"
    if len({e.label for e in entities}) < len(entities):
        raise SystemExit("labels are not unique")


def split(triples: set[Triple]) -> dict[str, list[Triple]]:
    """Train, valid and test such that no unordered pair of entities is in two of them."""
    groups: dict[tuple[str, str], list[Triple]] = defaultdict(list)
    for triple in sorted(triples):
        groups[min(triple[0], triple[2]), max(triple[0], triple[2])].append(triple)
    pairs = sorted(groups)
    random.Random(0).shuffle(pairs)
    room = {name: int(HELD_OUT_SHARE * len(triples)) for name in ("test", "valid")}
    splits: dict[str, list[Triple]] = {"train": [], "valid": [], "test": []}
    entities = Counter(name for h, _, t in triples for name in (h, t))
    relations = Counter(r for _, r, _ in triples)
    for pair in pairs:
        group = groups[pair]
        used = Counter(r for _, r, _ in group)
        spare = all(entities[name] - len(group) >= MIN_ENTITY for name in pair) and all(
            relations[r] - count >= MIN_RELATION for r, count in used.items()
        )
        target = next((name for name in room if spare and len(group) <= room[name]), "train")
        splits[target] += group
        if target != "train":
            room[target] -= len(group)
            entities.subtract(dict.fromkeys(pair, len(group)))
            relations.subtract(used)
    return {name: sorted(rows) for name, rows in splits.items()}
