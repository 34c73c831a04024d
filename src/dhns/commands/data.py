"""``dhns data``."""

from __future__ import annotations

from omegaconf import DictConfig, OmegaConf

from dhns.commands.app import app
from dhns.errors import InputError


@app("data")
def main(config: DictConfig) -> None:
    """Print statistics or an audit of a data set."""
    from dhns.graph.audit import audit
    from dhns.graph.load import load_graph
    from dhns.graph.statistics import statistics
    from dhns.results.tables import show, two_columns

    if OmegaConf.is_missing(config, "action"):
        raise InputError("say what to do: dhns data stats, or dhns data audit")
    if config.action not in ("stats", "audit"):
        raise InputError(f"there is no 'dhns data {config.action}'; use stats or audit")
    graph = load_graph(config)
    report = statistics(graph) if config.action == "stats" else audit(graph)
    show(two_columns(f"{config.action} of {graph.name}, {config.protocol.name} splits", report.rows()))
    for warning in getattr(report, "warnings", ()):
        print(f"warning: {warning}")
