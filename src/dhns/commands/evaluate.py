"""``dhns evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("evaluate")
def main(config: DictConfig) -> None:
    """Rank a split, or triples of one's own, with a trained model and print the table."""
    from dhns.commands.trained import load
    from dhns.results.records import require_kind, write_records
    from dhns.results.tables import metrics_table, show
    from dhns.training.evaluation import rank_queries

    out = Path(config.out) if config.out is not None else None
    if out is not None:
        require_kind(out)
    module = load(config)
    graph = module.graph
    if config.triples is not None:
        from dhns.graph.readers import read_named_triples

        triples = read_named_triples(Path(config.triples).expanduser(), graph.entities, graph.relations)
        what = Path(config.triples).name
    else:
        triples, what = graph.split(config.split), f"{config.split} split"
    metrics, _ = rank_queries(module, triples, config.progress and sys.stdout.isatty())
    show(metrics_table(metrics, f"{what} of {graph.name}, filtered, realistic ranks, %"))
    if out is not None:
        write_records(out, [{"metric": name, "value": value} for name, value in metrics.items()])
