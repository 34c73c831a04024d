"""What the settings hold that a command reads itself, rather than hand them to a ``_target_``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from dhns.config.values import check_value
from dhns.errors import InputError
from dhns.ranges import BelowOne, Count, InnerFraction, NotNegative, Seed

BUDGETS = ("smoke", "short", "full")
OWN: dict[str, Any] = {
    # train
    "seed": Seed,
    "system": str,
    "ablated": str,
    "reciprocal": bool,
    "own_entity": bool,
    "budget": Literal["smoke", "short", "full"],
    **{f"budgets.{name}.{part}": Count for name in BUDGETS for part in ("epochs", "validations")},
    **{f"budgets.{name}.{part}": Count | None for name in BUDGETS for part in ("valid_triples", "patience")},
    "data.batch_size": Count,
    "data.valid_triples": Count | None,
    "stopping.patience": Count | None,
    "generator.name": str,
    "generator.weight": NotNegative,
    "generator.every": Count,
    "generator.levels": Sequence[Mapping[str, Any]],
    "run_dir": Path,
    "resume": Path | None,
    "init_from": Path | None,
    "keep_data": bool,
    "force": bool,
    "progress": bool,
    # evaluate and predict
    "checkpoint": Path,
    "dataset.folder": Path | None,
    "dataset.path": Path | None,
    "dataset.modalities": Mapping[str, str | Mapping[str, Any] | None] | None,
    "split": str,
    "triples": Path | None,
    "known": str,
    "device": str,
    "head": str | None,
    "relation": str | None,
    "tail": str | None,
    "k": Count,
    # share
    "to": str | None,
    "private": bool,
    "licence": str | None,
    "with_features": bool,
    "queries": Path | None,
    "new": Path | None,
    "bad_lines": Literal["stop", "skip"],
    "chunk": Count,
    # discover and calibrate
    "relations": Sequence[str] | None,
    "n": Count,
    "each_relation": bool,
    "candidates": Literal["seen", "all"],
    "method": Literal["platt", "isotonic"],
    "share": InnerFraction,
    "corrupted": Count,
    "valid_triples": Count | None,
    "test": bool,
    # blend
    "members": Sequence[Path],
    "weights": Sequence[NotNegative] | None,
    # compare, curves and report
    "runs": Path | Sequence[Path],
    "run": Path | None,
    "markdown": bool,
    "metric": Literal["mrr", "hits@1", "hits@3", "hits@10"],
    "level": InnerFraction,
    "against": str | None,
    "by": Literal["relation", "popularity", "side"] | None,
    # reproduce
    "jobs": Count,
    "render_only": bool,
    "print_jobs": bool,
    # data
    "action": str,
    "mirror": str | None,
    "pack": Path | None,
    "links": Path | None,
    "modality": str | None,
    "input": Path | None,
    "format": str,
    "header": Literal["auto"] | bool,
    "quotes": Literal["auto"] | bool,
    "attributes": Sequence[str],
    "categories": Sequence[str],
    "language": str | None,
    "valid_fraction": BelowOne,
    "test_fraction": BelowOne,
    # features
    "images": Path | None,
    "texts": Path | None,
    "batch_size": Count,
    "dtype": Literal["float16", "float32"],
    "when_unreadable": Literal["stop", "skip"],
    # of several
    "out": Path | None,
    "download": bool,
    "paths.data": Path,
    "paths.outputs": Path,
}
"""Annotations by key."""
_ABSENT = object()
_UNTUNED = (
    "data.batch_size is null, as experiment=tuned leaves it on a data set that it has no settings of; add one, such as "
    "data.batch_size=512, or leave experiment=tuned out"
)


def check_own(config: DictConfig) -> None:
    """Raise `InputError` for a setting that a command reads itself and that is not what it has to be."""
    for key, expected in OWN.items():
        if key == "run_dir":
            continue  # it is named by the hash of the settings, which asks whether they are sound
        if (value := OmegaConf.select(config, key, default=_ABSENT)) is not _ABSENT:
            if key == "data.batch_size" and value is None:
                raise InputError(_UNTUNED)
            check_value(
                key, OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value, expected
            )
