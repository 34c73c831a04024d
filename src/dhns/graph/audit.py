"""What is wrong, odd or easy about a data set, counted before anything is trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
import torch

from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph, Modality, Vocabulary
from dhns.graph.overlap import Overlap, overlap
from dhns.graph.relation_rules import RelationRule, mine_rules
from dhns.graph.spelling import plain_spelling, read_alike, shown
from dhns.graph.triple_sets import distinct, is_in, join, occur_in, pair_keys

LEAKY_SHARE = 0.1  # of held-out rows, from which on leakage is worth a warning
SHARED_FEATURES = 0.01  # of entities, from which on repeated features are

Rows = list[tuple[str, str]]
"""Lines of a table: a name and a value."""


class Part(Protocol):
    """A part of an audit that can speak for itself."""

    def rows(self) -> Rows:
        """Lines of a table."""

    def warnings(self) -> list[str]:
        """What to know before trusting a number, in sentences."""


@dataclass(frozen=True)
class SplitAudit:
    """Rows of a split, the distinct triples among them, and the rows whose head is their tail."""

    split: str
    count: int
    distinct: int
    self_loops: int

    def rows(self) -> Rows:
        """Lines of a table."""
        counts = f"{self.count:,} rows, {self.distinct:,} distinct, {self.self_loops:,} self-loops"
        return [(f"{self.split} triples", counts)]

    def warnings(self) -> list[str]:
        """A sentence if triples are repeated."""
        repeated = self.count - self.distinct
        return [f"{repeated:,} of the {self.count:,} {self.split} rows repeat another row"] if repeated else []


@dataclass(frozen=True)
class HeldOutAudit:
    """How the rows of a held-out split relate to train.

    Attributes:
        count: rows of the split; all below but the ``unseen_*`` count some of them.
        unseen_entities: entities of the split that train never shows.
        with_unseen_entity: rows that have one.
        unseen_relations: labels of the relations of the split that train never shows.
        with_unseen_relation: rows that have one.
        pair_in_train: rows whose head and tail train links, in this direction, by another relation.
        reversed_in_train: rows whose tail train links to their head, by any relation; self-loops do not count.
        reversed_same_relation: those among them that it links so by the row's own relation.
    """

    split: str
    count: int
    unseen_entities: int
    with_unseen_entity: int
    unseen_relations: tuple[str, ...]
    with_unseen_relation: int
    pair_in_train: int
    reversed_in_train: int
    reversed_same_relation: int

    def rows(self) -> Rows:
        """Lines of a table."""
        lines = {
            "with an entity unseen in train": self.with_unseen_entity,
            "with a relation unseen in train": self.with_unseen_relation,
            "whose pair train links by another relation": self.pair_in_train,
            "whose reversed pair train links": self.reversed_in_train,
            "... by the same relation": self.reversed_same_relation,
        }
        return [
            (f"{self.split} rows {what}", f"{count:,} ({count / max(self.count, 1):.1%})")
            for what, count in lines.items()
        ]

    def warnings(self) -> list[str]:
        """Sentences on what train cannot teach, and on what can be copied from it."""
        warnings = []
        if self.unseen_relations:
            names = ", ".join(self.unseen_relations[:5]) + (", ..." if len(self.unseen_relations) > 5 else "")
            warnings.append(f"train never shows {len(self.unseen_relations)} of the relations of {self.split}: {names}")
        if self.pair_in_train > LEAKY_SHARE * self.count:
            share = self.pair_in_train / self.count
            warnings.append(
                f"{share:.0%} of the {self.split} rows have a pair that train links by another relation: part of the "
                "score can be copied"
            )
        if self.reversed_in_train > LEAKY_SHARE * self.count:
            share, same = self.reversed_in_train / self.count, self.reversed_same_relation / self.count
            warnings.append(
                f"{share:.0%} of the {self.split} rows have a pair that train links the other way round ({same:.0%} by "
                "the same relation): part of the score can be copied"
            )
        return warnings


@dataclass(frozen=True)
class NamesAudit:
    """Keys of entities or relations that differ from another only in case, and two of them as an example."""

    kind: str
    by_case: int
    example: str

    def rows(self) -> Rows:
        """Lines of a table."""
        return [(f"{self.kind} names that differ only in case", f"{self.by_case:,}")]

    def warnings(self) -> list[str]:
        """A sentence if there are any."""
        if not self.by_case:
            return []
        return [
            f"{self.by_case:,} {self.kind} names differ from another only in case, such as {self.example}; they count "
            "as different"
        ]


@dataclass(frozen=True)
class ModalityAudit:
    """Entities that have a modality, and how many different feature rows they have."""

    name: str
    entities: int
    share: float
    distinct_rows: int

    def rows(self) -> Rows:
        """Lines of a table."""
        coverage = f"{self.entities:,} ({self.share:.1%}), {self.distinct_rows:,} different"
        return [(f"entities with {self.name} features", coverage)]

    def warnings(self) -> list[str]:
        """A sentence if entities share their features."""
        if self.entities > 1 and self.distinct_rows == 1:
            return [f"the {self.name} features of all entities are the same: they carry no information"]
        shared = self.entities - self.distinct_rows
        if shared > SHARED_FEATURES * self.entities:
            return [
                f"the {self.name} features of {shared:,} of {self.entities:,} entities repeat those of another entity"
            ]
        return []


@dataclass(frozen=True)
class Audit:
    """Plain numbers and names, ready for JSON by ``dataclasses.asdict``.

    Attributes:
        entities_in_no_split: entities without any triple.
        untrained_entities: entities with neither a training triple nor features.
        overlaps: of each two splits.
        rules: between relations, mined on train.
    """

    dataset: str
    entities: int
    entities_in_no_split: int
    untrained_entities: int
    splits: tuple[SplitAudit, ...]
    overlaps: tuple[Overlap, ...]
    held_out: tuple[HeldOutAudit, ...]
    modalities: tuple[ModalityAudit, ...]
    names: tuple[NamesAudit, ...]
    rules: tuple[RelationRule, ...]

    def rows(self) -> Rows:
        """Lines of a table."""
        unused = [
            ("entities in no split", f"{self.entities_in_no_split:,} of {self.entities:,}"),
            ("entities with neither training triples nor features", f"{self.untrained_entities:,}"),
        ]
        rules = [row for rule in self.rules for row in rule.rows()]
        return [*unused, *(row for part in self._parts() for row in part.rows()), *rules]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know before trusting a number, in sentences."""
        warnings = [warning for part in self._parts() for warning in part.warnings()]
        if self.untrained_entities:
            warnings.append(
                f"{self.untrained_entities:,} entities have neither training triples nor features: they are ranked by "
                "chance"
            )
        if any(shared.triples for shared in self.overlaps if "valid" in (shared.first, shared.second)):
            advice = "do not select on it; protocol=clean leaves such rows out, or carves another set out of train"
            warnings.append(f"the validation set is no hold-out: {advice}")
        return tuple(warnings)

    def _parts(self) -> list[Part]:
        return [*self.splits, *self.overlaps, *self.held_out, *self.modalities, *self.names]


def audit(graph: KnowledgeGraph, min_confidence: float = 0.8, min_support: int = 10) -> Audit:
    """Count duplicates, overlaps, unseen entities and relations, leaks and modality coverage.

    Args:
        graph: any.
        min_confidence: of a rule between relations to be named.
        min_support: training triples that must bear it out.
    """
    used = torch.zeros(graph.num_entities, dtype=torch.bool)
    used[graph.triples(*SPLITS)[:, [0, 2]].flatten()] = True
    return Audit(
        dataset=graph.name,
        entities=graph.num_entities,
        entities_in_no_split=int((~used).sum()),
        untrained_entities=int(graph.untrained_entities.sum()),
        splits=tuple(_audit_split(graph, split) for split in SPLITS),
        overlaps=tuple(overlap(graph, first, second) for first, second in combinations(SPLITS, 2)),
        held_out=tuple(_audit_held_out(graph, split) for split in ("valid", "test")),
        modalities=tuple(_audit_modality(name, modality) for name, modality in graph.modalities.items()),
        names=tuple(_audit_names(names) for names in (graph.entities, graph.relations)),
        rules=tuple(mine_rules(graph, min_confidence, min_support)),
    )


def _audit_split(graph: KnowledgeGraph, split: str) -> SplitAudit:
    triples = graph.split(split)
    return SplitAudit(split, len(triples), len(distinct(triples)), int((triples[:, 0] == triples[:, 2]).sum()))


def _audit_held_out(graph: KnowledgeGraph, split: str) -> HeldOutAudit:
    triples, train = graph.split(split), distinct(graph.train)
    unseen_entity = ~graph.seen_entities[triples[:, [0, 2]]]
    unseen_relation = ~is_in(triples[:, 1], train[:, 1])
    proper = triples[triples[:, 0] != triples[:, 2]]
    row, match = join(pair_keys(triples, graph), pair_keys(train, graph))
    by_another = row[triples[row, 1] != train[match, 1]]
    reverse = pair_keys(proper, graph, reverse=True)
    return HeldOutAudit(
        split=split,
        count=len(triples),
        unseen_entities=len(torch.unique(triples[:, [0, 2]][unseen_entity])),
        with_unseen_entity=int(unseen_entity.any(dim=1).sum()),
        unseen_relations=tuple(
            graph.relations.labels[index] for index in torch.unique(triples[unseen_relation, 1]).tolist()
        ),
        with_unseen_relation=int(unseen_relation.sum()),
        pair_in_train=len(torch.unique(by_another)),
        reversed_in_train=int(is_in(reverse, pair_keys(train, graph)).sum()),
        reversed_same_relation=int(occur_in(proper[:, [2, 1, 0]], train, graph).sum()),
    )


def _audit_modality(name: str, modality: Modality) -> ModalityAudit:
    rows = modality.features[modality.present].contiguous().view(torch.uint8).numpy()
    as_bytes = rows.view(np.dtype((np.void, rows.shape[1])))  # one opaque value per row: sorted by memory comparison
    present = len(rows)
    return ModalityAudit(name, present, present / max(len(modality.present), 1), len(np.unique(as_bytes)))


def _audit_names(names: Vocabulary) -> NamesAudit:
    groups = read_alike(list(dict.fromkeys(map(plain_spelling, names.keys))), str.casefold)
    return NamesAudit(names.kind, sum(map(len, groups)), shown(*groups[0][:2]) if groups else "")
