"""``dhns predict``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app


@app("predict")
def main(config: DictConfig) -> None:
    """Print the k best answers to a query, known facts marked."""
    from dhns.results.tables import show
    from dhns.training.checkpoint import load_module
    from dhns.training.device import choose_device
    from dhns.training.prediction import Query, answer_table, predict

    module = load_module(Path(config.checkpoint), choose_device(config.device))
    query = Query.parse(module.graph, config.head, config.relation, config.tail)
    show(answer_table(module.graph, query, predict(module, query, config.k)))
