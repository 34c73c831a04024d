"""``dhns discover``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from dhns.training.trained_model import Discovery, TrainedModel

SHOWN = 20
"""Triples that are printed, the best first; all of them are in the file."""


@app("discover")
def main(config: DictConfig) -> None:
    """Find the most plausible triples that the graph does not hold."""
    from dhns.commands.trained import load_model
    from dhns.results.record_stream import record_stream, require_stream_kind
    from dhns.results.tables import show

    out = None if config.out is None else Path(config.out).expanduser()
    if out is not None:
        require_stream_kind(out)
    if config.relations is not None and not config.relations:
        raise InputError("relations is empty; name some, or leave it out to search all")
    model = load_model(config)
    relations = None if config.relations is None else list(config.relations)
    found = model.discover(relations, config.n, config.each_relation, config.candidates)
    show(_table(model, found[:SHOWN]))
    if not found:
        more = "; candidates=all tries all entities" if config.candidates == "seen" else ""
        print(f"note: the graph holds all triples of these relations and candidates{more}")
    if model.calibration is not None:
        print(f"note: {model.calibration.meaning}")
    if out is None:
        if len(found) > SHOWN:
            print(f"{len(found):,} triples were found, and {SHOWN} are shown; out=FILE writes all of them")
        return
    columns: dict[str, type] = {"head": str, "relation": str, "tail": str, "score": float}
    columns |= {"probability": float} if model.calibration is not None else {}
    with record_stream(out, columns) as write:
        write([{name: getattr(each, name) for name in columns} for each in found])
    print(f"{len(found):,} triples: {config.out}")


def _table(model: TrainedModel, found: list[Discovery]) -> Table:
    from rich.table import Table

    table = Table(title=f"{model.graph.name}: most plausible new triples")
    for column in ("head", "relation", "tail", "score", *(["probability"] if model.calibration else [])):
        table.add_column(column, justify="right" if column in ("score", "probability") else "left")
    entities, relations = model.graph.entities, model.graph.relations
    for head, relation, tail, score, probability in found:
        names = (entities.labels[entities.ids[head]], relations.labels[relations.ids[relation]])
        chance = [] if probability is None else [f"{probability:.3f}"]
        table.add_row(*names, entities.labels[entities.ids[tail]], f"{score:.3f}", *chance)
    return table
