"""One run from a composed configuration to a result file."""

from __future__ import annotations

import gc
import logging
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import Timer

from dhns.config.identity import RESULT_VERSION, config_hash, content_of
from dhns.config.starting_points import BEST, BLEND, LAST
from dhns.data.datamodule import TripleDataModule
from dhns.errors import InputError
from dhns.files import write_json
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.load import load_graph, prepare
from dhns.graph.protocol import Protocol
from dhns.kernels.allocator import keep_freed_memory, leave_new_memory_as_it_is
from dhns.kernels.fusion import forget_compiled
from dhns.results.plots import plot_hardness
from dhns.results.ranks import FILE_NAME as RANKS_FILE
from dhns.results.ranks import write_ranks
from dhns.results.store import FILE_NAME, read_result, versions
from dhns.tracking.tracker import Tracker, open_tracker
from dhns.training.build import build_module
from dhns.training.callbacks import checkpoints, progress
from dhns.training.checkpoint import load_weights, read_checkpoint, require_best, require_resumable
from dhns.training.checkpoint_io import plugins
from dhns.training.continuation import start_from, take_over
from dhns.training.device import kind_of
from dhns.training.distributed import told_as_here
from dhns.training.divergence import DivergenceGuard
from dhns.training.evaluation import frequency_baseline, rank_split
from dhns.training.hardness import score_samples
from dhns.training.module import LinkPredictionModule
from dhns.training.quiet import quiet_lightning
from dhns.training.run_folder import own_folder
from dhns.training.saved_graph import remove_saved_graph, save_graph
from dhns.training.team import Team, team_of
from dhns.training.tracked_content import shown_settings, shown_summary
from dhns.training.tracking import ShowProgress
from dhns.training.trainer import make_trainer

log = logging.getLogger(__name__)


def run(config: DictConfig, graph: KnowledgeGraph | None = None) -> dict[str, Any]:
    """Train, select, rank the test split once, and store the result.

    A finished run of the same settings is returned as it was stored; an unfinished one is resumed. Of several processes
    that a launcher has started for it, the first does all of this, and the others train with it.

    Args:
        config: composed from ``conf/train.yaml``.
        graph: in place of the data set of the settings, which then say its content by themselves.

    Returns:
        The content of the result file.
    """
    with team_of(config.trainer) as team:
        return _lead(config, graph, team) if team.leads else _follow(config, graph, team)


def _follow(config: DictConfig, graph: KnowledgeGraph | None, team: Team) -> dict[str, Any]:
    """Train as the first process of ``team`` says, and return its result; no file is written, and nothing is said."""
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    begin = team.hear()
    if isinstance(begin, _Begin):
        _quieten()
        try:
            graph = load_graph(config) if graph is None else prepare(config, graph)
            training = _Training(config, begin.content, graph, None)
            if not begin.resumes and config.init_from is not None:
                start_from(training.module, Path(config.init_from))
            training.fit(team, begin.resumes)
        finally:
            _release()
        begin = team.hear()
    result: dict[str, Any] = begin
    return result


def _lead(config: DictConfig, graph: KnowledgeGraph | None, team: Team) -> dict[str, Any]:
    content = content_of(config)  # before the folder, which is named by it
    folder = Path(config.run_dir)
    result_file = folder / FILE_NAME
    if (folder / BLEND).exists():
        raise InputError(f"{folder} is the folder of a blend, and no run takes its place; choose another run_dir")
    if result_file.exists() and not config.force:
        result = read_result(result_file)
        _require_same_settings(config, result["config"], result_file)
        log.info("already done: %s (force=true trains again)", result_file)
        _say_other_device(result, config)
        team.tell(result)
        return result
    _quieten()
    with own_folder(folder):
        if config.force:
            result_file.unlink(missing_ok=True)
            shutil.rmtree(folder / "checkpoints", ignore_errors=True)
        protocol: Protocol = instantiate(config.protocol)
        graph = load_graph(config) if graph is None else prepare(config, graph)
        _require_unchanged(config, content)
        for note in graph.notes:
            log.info("note: %s", note)
        protocol.check_selection(graph)
        if config.keep_data:
            save_graph(graph, folder, Path(config.paths.outputs))
        else:
            remove_saved_graph(folder)
        if config.resume is not None:
            take_over(config, folder)
        try:
            with open_tracker(config.logger) as tracker:
                result = _train_and_rank(config, content, graph, tracker, team)
                write_json(result_file, result)
                if tracker is not None:
                    tracker.log_summary(shown_summary(result))
        finally:
            _release()
    team.tell(result)
    return result


class _Begin(NamedTuple):
    """How a training begins: the content of its data, and whether there is a checkpoint."""

    content: dict[str, str]
    resumes: bool


class _Training:
    """The parts of a training, in each of its processes.

    Args:
        config: of the run.
        content: of what was read, whatever lies there when training ends.
        graph: prepared.
        tracker: of the process that leads.
    """

    def __init__(
        self, config: DictConfig, content: dict[str, str], graph: KnowledgeGraph, tracker: Tracker | None
    ) -> None:
        # Interpolations stay as written: the checkpoint and the result hold no path of this machine.
        plain: Any = OmegaConf.to_container(config, resolve=False)
        self.plain: dict[str, Any] = plain | {"content": content}
        self.identity = config_hash(OmegaConf.create(self.plain))
        self.module = build_module(self.plain, graph)
        by_query = self.module.sampler is None
        self.data = TripleDataModule(
            graph, config.data.batch_size, config.seed, config.data.valid_triples, by_query=by_query
        )
        self.protocol: Protocol = instantiate(config.protocol)
        select_best = self.protocol.select == "best_valid"
        folder = Path(config.run_dir)
        self.checkpoints = folder / "checkpoints"
        self.last = self.checkpoints / f"{LAST}.ckpt"
        self.chosen = self.checkpoints / f"{BEST if select_best else LAST}.ckpt"
        self.timer = Timer()  # checkpoints hold how long training took so far
        stages = checkpoints(self.checkpoints, select_best, config.stopping.patience)
        callbacks = [self.timer, DivergenceGuard(), *stages, *progress(config.progress)]
        if tracker is not None:
            callbacks.append(ShowProgress(tracker, shown_settings(config) | {"config_hash": self.identity}))
        self.trainer = make_trainer(
            config.trainer,
            select_best,
            default_root_dir=folder,
            logger=tracker or False,
            callbacks=callbacks,
            plugins=plugins(),
            enable_progress_bar=config.progress and sys.stdout.isatty(),
            limit_val_batches=1.0 if select_best else 0,
        )

    def fit(self, team: Team, resumes: bool) -> float:
        """Train from the start or the last checkpoint; seconds."""
        started = time.perf_counter()
        with told_as_here(), team.training():
            self.trainer.fit(self.module, self.data, ckpt_path=self.last if resumes else None, weights_only=True)
        return time.perf_counter() - started


def _train_and_rank(
    config: DictConfig, content: dict[str, str], graph: KnowledgeGraph, tracker: Tracker | None, team: Team
) -> dict[str, Any]:
    training, folder = _Training(config, content, graph, tracker), Path(config.run_dir)
    module, trainer, timer, last = training.module, training.trainer, training.timer, training.last
    resumes = last.exists()
    if resumes:
        saved = read_checkpoint(last)
        if config.resume is None:
            _require_same_settings(config, saved["hyper_parameters"]["config"], last)
        require_resumable(saved, module, last)
        require_best(saved, training.checkpoints)
        timer.load_state_dict(saved["callbacks"].get(timer.state_key, {}))
    elif config.init_from is not None:
        start_from(module, Path(config.init_from))
    log.info("%s in process %d: %s", "training resumes" if resumes else "training starts", os.getpid(), folder)
    before = timer.time_elapsed()
    team.tell(_Begin(content, resumes))
    trained = before + training.fit(team, resumes)
    # what processes of a distributed training counted did not come back with them
    state = read_checkpoint(last)
    module.on_load_checkpoint(state)
    load_weights(module, training.chosen)
    module.to(trainer.strategy.root_device)  # Lightning leaves it on the processor when training ends
    module.metric.distributed_available_fn = _alone  # the others wait for the result, and rank nothing
    started = time.perf_counter()
    splits = [split for split in ("valid", "test") if len(graph.split(split))]
    found = {split: rank_split(module, split, config.progress and sys.stdout.isatty()) for split in splits}
    ranking_seconds = time.perf_counter() - started
    ranks = {split: ranked for split, (_, ranked) in found.items()}
    write_ranks(folder / RANKS_FILE, ranks, graph.relations.labels)
    return {
        "version": RESULT_VERSION,
        "system": config.system,
        "ablated": config.ablated,
        "dataset": graph.name,
        "config_hash": training.identity,
        "seed": config.seed,
        # folders of this machine are nobody's business; settings that name one say ${paths...}
        "config": {key: value for key, value in training.plain.items() if key not in ("paths", "run_dir")},
        "protocol": training.protocol.describe() | {"notes": list(graph.notes)},
        "fingerprints": module.fingerprints,
        "metrics": {split: metrics for split, (metrics, _) in found.items()},
        "baseline": frequency_baseline(module, splits),
        "generated": _generated_report(module, folder),
        "parameters": {
            name: sum(p.numel() for p in part.parameters()) if part is not None else 0
            for name, part in (("model", module.model), ("sampler", module.sampler), ("generator", module.generator))
        },
        "modalities_missing": list(module.model.encoder.missing),
        "epochs": state["epoch"] + 1,
        "batches": state["batches_seen"],
        "checkpoint": str(training.chosen.relative_to(folder)),
        "time": {"train_s": trained, "rank_s": ranking_seconds},
        "peak_memory_mib": _peak_memory_mib(),
        "threads": torch.get_num_threads(),
        "device": str(trainer.strategy.root_device),
        "devices": trainer.world_size,
        "versions": versions(),
    }


def _say_other_device(result: dict[str, Any], config: DictConfig) -> None:
    """A run has the same hash on every device, but not the same numbers: generators of random numbers differ."""
    made, here = str(result.get("device", "cpu")).partition(":")[0], kind_of(config.trainer.accelerator)
    if made != here:
        log.warning(
            "that result was made on %s, which draws other random numbers than %s, where it would be made now; "
            "force=true trains again",
            made, here,
        )  # fmt: skip


def _require_unchanged(config: DictConfig, content: dict[str, str]) -> None:
    """Raise unless the files that were read are those by which the run is known."""
    now = content_of(config)
    if changed := sorted(role for role in content.keys() | now.keys() if content.get(role) != now.get(role)):
        raise InputError(f"{', '.join(changed)} changed while they were read; give the same command again")


def _require_same_settings(config: DictConfig, stored: dict[str, Any], path: Path) -> None:
    """Raise unless what ``path`` holds was made by settings of the same hash and seed; `run_dir` may be anything."""
    found, seed = config_hash(OmegaConf.create(stored)), stored["seed"]
    then, now = stored.get("content", {}), content_of(config)
    if then != now and config_hash(OmegaConf.create(stored | {"content": now})) == config_hash(config):
        changed = ", ".join(sorted(role for role in then.keys() | now.keys() if then.get(role) != now.get(role)))
        raise InputError(
            f"{path} is of other data: {changed} changed since; choose another run_dir, or replace it with force=true"
        )
    if (found, seed) != (config_hash(config), config.seed):
        raise InputError(
            f"{path} is of other settings (#{found}, seed {seed}) than these (#{config_hash(config)}, seed "
            f"{config.seed}); choose another run_dir, or replace it with force=true"
        )


def _generated_report(module: LinkPredictionModule, folder: Path) -> dict[str, Any]:
    """Last diagnostics of training, and mean scores of generated negatives for validation triples (else of train)."""
    if module.generator is None:
        return {}
    graph = module.graph
    samples = score_samples(module, graph.valid if len(graph.valid) else graph.train)
    plot_hardness(samples, folder / "hardness.png")
    means: dict[str, float] = {name: float(score.mean()) for name, score in samples.items()}
    return {"diagnostics": module.diagnostics.report, "mean_scores": means}


def _quieten() -> None:
    """Settle what a process that trains needs settled."""
    quiet_lightning()
    keep_freed_memory()
    leave_new_memory_as_it_is()


def _alone() -> bool:
    return False


def _release() -> None:
    """Free what a sweep's next job in this process does not need."""
    gc.collect()
    forget_compiled()
    if torch.accelerator.is_available():
        torch.get_device_module().empty_cache()


def _peak_memory_mib() -> float | None:
    """Peak resident memory of this process so far, where the system tells."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
