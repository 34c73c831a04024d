"""``dhns predict``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError


@app("predict")
def main(config: DictConfig) -> None:
    """Print the k best answers to a query; known facts are marked, or hidden."""
    from dhns.commands.trained import load
    from dhns.results.records import require_kind, write_records
    from dhns.results.tables import show
    from dhns.training.prediction import Query, answer_rows, answer_table, predict, remarks

    if config.known not in ("mark", "hide"):
        raise InputError(f"known is '{config.known}'; expected mark or hide")
    out = Path(config.out) if config.out is not None else None
    if out is not None:
        require_kind(out)
    module = load(config)
    query = Query.parse(module.graph, config.head, config.relation, config.tail)
    answers = predict(module, query, config.k, hide_known=config.known == "hide")
    show(answer_table(module.graph, query, answers))
    for remark in remarks(module.graph, query, answers):
        print(f"note: {remark}")
    if out is not None:
        write_records(out, answer_rows(module.graph, query, answers))
