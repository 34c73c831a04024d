"""``dhns export``."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.errors import InputError


@app("export")
def main(config: DictConfig) -> None:
    """Write embeddings of entities and relations, and views, with labels, in the format that the name asks for."""
    from dhns.exchange.vectors import require_format

    if config.out is None:
        raise InputError("say where to write the vectors: dhns export checkpoint=RUN out=FILE")
    out = Path(config.out).expanduser()
    require_format(out, config.format)

    from dhns.commands.trained import load_model
    from dhns.results.tables import show, two_columns

    model = load_model(config)
    files = model.export(out, config.format)
    vectors = model.embeddings()
    shapes = {"entities": vectors.entities.shape, "relations": vectors.relations.shape}
    table = [(name, f"{rows:,}, {width} numbers each") for name, (rows, width) in shapes.items()]
    table += [
        (f"{name} view", f"{int(vectors.present[name].sum()):,} entities, {view.shape[1]} numbers each")
        for name, view in vectors.views.items()
    ]
    show(two_columns(f"vectors of {model.graph.name}", table))
    for file in files:
        print(file)
