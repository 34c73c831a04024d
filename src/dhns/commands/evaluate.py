"""``dhns evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from dhns.commands.app import app

if TYPE_CHECKING:
    from torch import Tensor

    from dhns.graph.knowledge_graph import KnowledgeGraph


@app("evaluate")
def main(config: DictConfig) -> None:
    """Rank a split, or triples of one's own, with a trained model and print the table."""
    from dhns.commands.trained import load
    from dhns.files import require_apart
    from dhns.results.records import require_kind, write_records
    from dhns.results.tables import metrics_table, show
    from dhns.training.evaluation import rank_queries

    out = Path(config.out) if config.out is not None else None
    if out is not None:
        require_kind(out)
        if config.triples is not None:
            require_apart(out, Path(config.triples).expanduser())
    module = load(config)
    graph = module.graph
    for note in graph.notes:
        print(f"note: {note}")
    if config.triples is not None:
        triples, what = _own_triples(Path(config.triples).expanduser(), graph), Path(config.triples).name
    else:
        triples, what = graph.split(config.split), f"{config.split} split"
    metrics, _ = rank_queries(module, triples, config.progress and sys.stdout.isatty())
    show(metrics_table(metrics, f"{what} of {graph.name}, filtered, realistic ranks, %"))
    if out is not None:
        write_records(out, [{"metric": name, "value": value} for name, value in metrics.items()])


def _own_triples(path: Path, graph: KnowledgeGraph) -> Tensor:
    from dhns.graph.readers.named_triples import read_named_triples

    (file,), notes = read_named_triples([path])
    for note in notes:
        print(f"note: {note}")
    return file.to_ids(graph.entities, graph.relations, "is none of those that the model was trained on")
