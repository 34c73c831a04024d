"""What of a run is shown: its settings without folders and secrets, its numbers, some of its predictions."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from dhns.tracking.backend import Row
from dhns.training.module import LinkPredictionModule
from dhns.training.prediction import Query, predict_many

OWN_TO_A_MACHINE = frozenset({"paths", "run_dir", "logger", "progress", "force"})
COLUMNS = ("query", "true answer", "rank", "answer", "score", "known fact")


def shown_settings(config: DictConfig) -> dict[str, Any]:
    """Settings with the numbers that interpolations come to.

    Texts stay as written: ``${oc.env:...}`` and ``${paths...}`` may stand for a secret or a folder of this machine.
    """
    written: Any = OmegaConf.to_container(config, resolve=False)
    resolved: Any = OmegaConf.to_container(config, resolve=True)
    return {key: _shown(value, resolved[key]) for key, value in written.items() if key not in OWN_TO_A_MACHINE}


def shown_summary(result: dict[str, Any]) -> dict[str, float]:
    """The numbers of a result file, flat."""
    numbers: dict[str, float] = {
        f"final/{split}/{key}": value for split, metrics in result["metrics"].items() for key, value in metrics.items()
    }
    numbers |= {f"parameters/{part}": count for part, count in result["parameters"].items()}
    numbers |= {f"time/{part}": seconds for part, seconds in result["time"].items()}
    numbers |= {key: result[key] for key in ("epochs", "batches", "peak_memory_mib") if result[key] is not None}
    return numbers


def prediction_rows(module: LinkPredictionModule, triples: Tensor, answers: int) -> list[Row]:
    """The best answers to the tail and head queries of some triples, by label; a row per answer, see `COLUMNS`."""
    labels = module.graph.entities.labels
    rows: list[Row] = []
    asked = [
        (query, true)
        for head, relation, tail in triples.tolist()
        for query, true in ((Query(head, relation, None), tail), (Query(None, relation, tail), head))
    ]
    found = predict_many(module, [query for query, _ in asked], answers)
    for (query, true), best in zip(asked, found, strict=True):
        for rank, answer in enumerate(best, start=1):
            known = ", ".join(answer.known_in)
            rows.append(
                (query.describe(module.graph), labels[true], rank, labels[answer.candidate], answer.score, known)
            )
    return rows


def _shown(written: Any, resolved: Any) -> Any:
    if isinstance(written, dict):
        return {key: _shown(value, resolved[key]) for key, value in written.items()}
    if isinstance(written, list):
        return [_shown(*pair) for pair in zip(written, resolved, strict=True)]
    return resolved if resolved is None or isinstance(resolved, int | float) else written
