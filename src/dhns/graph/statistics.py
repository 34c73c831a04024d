"""The size and shape of a graph in numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from dhns.graph.cardinality import CATEGORIES, relation_category
from dhns.graph.knowledge_graph import SPLITS, KnowledgeGraph


@dataclass(frozen=True)
class CategoryStatistics:
    """Relations of one category, and their triples in each split."""

    relations: int
    triples: dict[str, int]


@dataclass(frozen=True)
class ModalityStatistics:
    """How many entities have a modality, and the length of its features."""

    entities: int
    share: float
    dim: int
    dtype: str


@dataclass(frozen=True)
class Statistics:
    """Plain numbers, ready for JSON.

    Attributes:
        triples: rows per split.
        median_degree, max_degree: training triples per entity, of those that have any; a self-loop counts twice.
        max_degree_entity: its label.
        categories: by `CATEGORIES`, measured on train.
    """

    entities: int
    relations: int
    triples: dict[str, int]
    median_degree: float
    max_degree: int
    max_degree_entity: str
    categories: dict[str, CategoryStatistics]
    modalities: dict[str, ModalityStatistics]

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of a table."""
        rows = [("entities", f"{self.entities:,}"), ("relations", f"{self.relations:,}")]
        rows += [(f"{split} triples", f"{count:,}") for split, count in self.triples.items()]
        rows.append(("median degree in train", f"{self.median_degree:g}"))
        rows.append(("highest degree in train", f"{self.max_degree:,} ({self.max_degree_entity})"))
        for name, category in self.categories.items():
            counts = ", ".join(f"{count:,} {split}" for split, count in category.triples.items())
            rows.append((f"{name} relations", f"{category.relations:,}; triples: {counts}"))
        for name, modality in self.modalities.items():
            coverage = f"{modality.entities:,} entities ({modality.share:.1%})"
            rows.append((f"{name} features", f"{coverage}, {modality.dim} x {modality.dtype}"))
        return rows


def statistics(graph: KnowledgeGraph) -> Statistics:
    """Count entities, relations, triples, degrees, relation categories and modality coverage."""
    degree = torch.bincount(graph.train[:, [0, 2]].flatten(), minlength=graph.num_entities)
    category = relation_category(graph.train, graph.num_relations)
    per_split = {split: torch.bincount(category[graph.split(split)[:, 1]], minlength=4).tolist() for split in SPLITS}
    relations = torch.bincount(category, minlength=len(CATEGORIES)).tolist()
    return Statistics(
        entities=graph.num_entities,
        relations=graph.num_relations,
        triples={split: len(graph.split(split)) for split in SPLITS},
        median_degree=float(degree[degree > 0].double().quantile(0.5)),
        max_degree=int(degree.max()),
        max_degree_entity=graph.entities.labels[int(degree.argmax())],
        categories={
            name: CategoryStatistics(relations[index], {split: per_split[split][index] for split in SPLITS})
            for index, name in enumerate(CATEGORIES)
        },
        modalities={
            name: ModalityStatistics(
                entities=int(modality.present.sum()),
                share=float(modality.present.double().mean()),
                dim=modality.dim,
                dtype=str(modality.features.dtype).removeprefix("torch."),
            )
            for name, modality in graph.modalities.items()
        },
    )
