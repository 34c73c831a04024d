"""``dhns predict``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError


@app("predict")
def main(config: DictConfig) -> None:
    """Print the k best answers to a query, or write those to a file of queries; known facts are marked, or hidden."""
    if config.known not in ("mark", "hide"):
        raise InputError(f"known is '{config.known}'; expected mark or hide")
    if config.queries is None:
        _one(config)
    else:
        _many(config)


def _one(config: DictConfig) -> None:
    from dhns.commands.trained import load_model
    from dhns.results.records import require_kind, write_records
    from dhns.results.tables import show
    from dhns.training.prediction import Query, answer_rows, answer_table, predict, remarks

    out = Path(config.out) if config.out is not None else None
    if out is not None:
        require_kind(out)
    model = load_model(config)
    graph = model.graph
    query = Query.parse(graph, config.head, config.relation, config.tail)
    answers = predict(model.ranker, query, config.k, config.known == "hide", model.calibration)
    show(answer_table(graph, query, answers))
    if model.calibration is not None and any(answer.probability is not None for answer in answers):
        print(f"note: {model.calibration.meaning}")
    for remark in remarks(graph, query, answers):
        print(f"note: {remark}")
    if out is not None:
        write_records(out, answer_rows(graph, query, answers))


def _many(config: DictConfig) -> None:
    from dhns.commands.trained import load_model, require_files, tell

    if given := [name for name in ("head", "relation", "tail") if config[name] is not None]:
        raise InputError(f"queries={config.queries} is a file of queries, and {given[0]} is given too; leave out one")
    require_files(config, "queries")
    model = load_model(config)
    report = model.predict_file(
        Path(config.queries).expanduser(),
        Path(config.out).expanduser(),
        config.k,
        config.known,
        config.bad_lines,
        config.chunk,
    )
    tell(report, model.calibration)
    print(f"{report.written:,} answers to {report.read:,} queries: {config.out}")
