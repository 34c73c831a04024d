"""Training that begins where another run ended: with more epochs, or from its weights."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from dhns.config.identity import config_hash
from dhns.config.starting_points import BEST, LAST, to_resume
from dhns.errors import InputError
from dhns.files import write_bytes
from dhns.training.checkpoint import read_checkpoint, read_chosen
from dhns.training.module import LinkPredictionModule

log = logging.getLogger(__name__)

OF_LENGTH = (
    *("trainer.max_epochs", "trainer.check_val_every_n_epoch", "data.valid_triples", "stopping", "resume", "content"),
    *("optimization.scheduler", "generator.optimization.scheduler"),
)
"""What may differ between a run and its continuation."""


def take_over(config: DictConfig, folder: Path) -> None:
    """Put the checkpoints of the run ``config.resume`` into the folder of one that goes on from it.

    What has begun to go on is left as it is: a killed continuation resumes like any other run.

    Raises:
        InputError: it has no last checkpoint; or it, or what has begun, was trained with other settings than ``config``
            has.
    """
    source = checkpoint_folder(Path(config.resume))
    own = folder / "checkpoints"
    last = source / f"{LAST}.ckpt"
    begun = (own / last.name).exists()
    content = read_checkpoint(own / last.name if begun else last)
    stored = content["hyper_parameters"]["config"]
    if _but_for_length(OmegaConf.create(stored)) != _but_for_length(config) or stored["seed"] != config.seed:
        raise InputError(
            f"{own / last.name if begun else f'resume={config.resume}'} was trained with other settings than these; "
            "only the number of epochs, validations and what stops it may differ. init_from=RUN takes weights alone"
        )
    if begun:
        return
    if (done := content["epoch"] + 1) >= config.trainer.max_epochs:
        raise InputError(
            f"resume={config.resume} has {done} epochs already, and trainer.max_epochs is {config.trainer.max_epochs}; "
            "ask for more"
        )
    own.mkdir(parents=True, exist_ok=True)
    for name in (BEST, LAST):  # the last one last: it marks the folder as begun
        if (checkpoint := source / f"{name}.ckpt").exists():
            write_bytes(own / checkpoint.name, checkpoint.read_bytes())


def checkpoint_folder(run: Path) -> Path:
    """The folder of the checkpoints of a run.

    Raises:
        InputError: there is none with a last checkpoint.
    """
    if (last := to_resume(run)) is not None:
        return last.parent
    raise InputError(f"no {LAST}.ckpt lies in {run}; give the folder of a run (outputs/.../seed-0)")


def start_from(module: LinkPredictionModule, run: Path) -> None:
    """Put the weights of a run's best checkpoint into a module, before it is trained.

    Those of the model have to fit; those of a generator or a sampler are taken where both have them.

    Raises:
        InputError: the model's weights do not fit, or its entities and relations are others.
    """
    path, content = read_chosen(run)
    stored = content.get("fingerprints") or module.fingerprints
    if other := [names for names in ("entities", "relations") if stored[names] != module.fingerprints[names]]:
        raise InputError(f"init_from={run} was trained on other {' and '.join(other)}: ids would mean other things")
    own, found = module.state_dict(), content["state_dict"]
    fitting = {key for key in own.keys() & found.keys() if own[key].shape == found[key].shape}
    if wrong := sorted(key for key in own if key.startswith("model.") and key not in fitting):
        raise InputError(f"init_from={run} does not fit this model: {', '.join(wrong[:3])}; choose the same model")
    module.load_state_dict(own | {key: found[key] for key in fitting})
    log.info("training starts from the weights of %s", path)


def _but_for_length(config: DictConfig) -> str:
    settings: Any = OmegaConf.to_container(config, resolve=False)
    for key in OF_LENGTH:
        *groups, name = key.split(".")
        node = settings
        for group in groups:
            node = node.get(group) or {}
        node.pop(name, None)
    return config_hash(OmegaConf.create(settings | {"trainer": settings["trainer"] | {"max_epochs": 1}}))
