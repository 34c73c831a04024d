"""Runs of one data set become one: weights chosen on validation, ranks and a result as of any run."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dhns.config.identity import RESULT_VERSION, config_hash
from dhns.config.starting_points import BLEND
from dhns.errors import InputError
from dhns.files import write_json
from dhns.graph.protocol import Protocol
from dhns.results.ranks import FILE_NAME as RANKS_FILE
from dhns.results.ranks import write_ranks
from dhns.results.store import FILE_NAME, versions
from dhns.training.blend import Blend, Choice, save_blend, try_weights
from dhns.training.checkpoint import load_module
from dhns.training.evaluation import frequency_baseline, rank_split
from dhns.training.module import LinkPredictionModule
from dhns.training.run_folder import own_folder


def blend_runs(
    runs: Sequence[Path],
    folder: Path,
    weights: Sequence[float] | None = None,
    *,
    device: torch.device | str = "cpu",
    trusted: Collection[str] = (),
    force: bool = False,
    show_progress: bool = False,
) -> tuple[dict[str, Any], list[Choice]]:
    """Blend trained models, rank validation and test, and write a run's folder.

    Args:
        runs: folders or checkpoint files.
        folder: of the blend, which `dhns.training.blend.load_ranker` and the tables take.
        weights: one per run; None to choose them on validation.
        device: to score on.
        trusted: see `load_module`.
        force: replace a blend that lies in the folder.
        show_progress: bars.

    Returns:
        The content of the result file, and the weights that were tried, best first.

    Raises:
        InputError: runs that cannot be loaded or blended, nothing to choose weights on, or a folder that is taken.
    """
    if any((folder / name).exists() for name in (FILE_NAME, "checkpoints")) and not (folder / BLEND).exists():
        raise InputError(f"{folder} is the folder of a run, and no blend takes its place; choose another out")
    if (folder / FILE_NAME).exists() and not force:
        raise InputError(f"{folder} holds a result already; choose another out, or replace it with force=true")
    members = [load_module(run, device, trusted=trusted) for run in runs]
    _require_different(runs, members)
    blend = Blend(members, weights)
    protocol = _protocol(members[0].hparams["config"])
    tried: list[Choice] = []
    if weights is None:
        if protocol.select != "best_valid":
            raise InputError(f"protocol.select is {protocol.select}, which chooses nothing: give weights=[0.5,0.5]")
        protocol.check_selection(blend.graph)
        tried = try_weights(blend, show_progress)
        blend.weights = list(tried[0].weights)
    with own_folder(folder):
        started = time.perf_counter()
        splits = [split for split in ("valid", "test") if len(blend.graph.split(split))]
        found = {split: rank_split(blend, split, show_progress) for split in splits}
        seconds = time.perf_counter() - started
        save_blend(blend, runs, folder)
        ranks = {split: ranked for split, (_, ranked) in found.items()}
        write_ranks(folder / RANKS_FILE, ranks, blend.graph.relations.labels)
        settings = [member.hparams["config"] for member in members]
        config: dict[str, Any] = {
            "members": [_identity(each) for each in settings],
            "weights": "chosen on validation" if weights is None else [float(weight) for weight in weights],
            "trainer": {},
            "data": {},
        }
        result = {
            "version": RESULT_VERSION,
            "system": " + ".join(each["system"] for each in settings),
            "ablated": "full",
            "dataset": blend.graph.name,
            "config_hash": config_hash(OmegaConf.create(config)),
            "seed": settings[0]["seed"],
            "config": config,
            "weights": blend.weights,
            "protocol": protocol.describe() | {"notes": list(blend.graph.notes)},
            "fingerprints": {part: digest for member in members for part, digest in member.fingerprints.items()},
            "metrics": {split: metrics for split, (metrics, _) in found.items()},
            "baseline": frequency_baseline(blend, splits),
            "parameters": {"model": sum(p.numel() for member in members for p in member.model.parameters())},
            "time": {"rank_s": seconds},
            "versions": versions(),
        }
        write_json(folder / FILE_NAME, result)
    return result, tried


def _require_different(runs: Sequence[Path], members: Sequence[LinkPredictionModule]) -> None:
    """A model that is given twice, or whose copy is, adds nothing; the number of members would say otherwise."""
    for (first, one), (second, other) in itertools.combinations(zip(runs, members, strict=True), 2):
        own, its = one.model.state_dict(), other.model.state_dict()
        if own.keys() == its.keys() and all(torch.equal(value, its[name]) for name, value in own.items()):
            raise InputError(f"{first} and {second} hold the same model; blend runs that differ, such as in their seed")


def _protocol(settings: dict[str, Any]) -> Protocol:
    protocol: Protocol = instantiate(OmegaConf.create(settings).protocol)
    return protocol


def _identity(settings: dict[str, Any]) -> dict[str, Any]:
    """What tells a member from others; not its seed, so that blends of other seeds are runs of one system."""
    return {
        "system": settings["system"],
        "ablated": settings["ablated"],
        "config_hash": config_hash(OmegaConf.create(settings)),
    }
