"""Loading what a run saved; nothing is unpickled but tensors and plain containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from dhns.errors import InputError
from dhns.training.callbacks import BEST, LAST
from dhns.training.module import LinkPredictionModule


def find_checkpoint(path: Path) -> Path:
    """A checkpoint file, or the best (else the last) one of a run's folder.

    Raises:
        InputError: there is none.
    """
    candidates = [path, *(folder / f"{name}.ckpt" for name in (BEST, LAST) for folder in (path, path / "checkpoints"))]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise InputError(f"no checkpoint at {path}; give a .ckpt file or the folder of a run (outputs/.../seed-0)")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file, on the CPU.

    Raises:
        InputError: it is missing, truncated, holds pickled objects, or was not written by this program.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"cannot read the checkpoint {path}: {error.strerror or error}") from None
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError and others on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} is no readable checkpoint (truncated, or not from dhns): {reason}; train again"
        ) from None
    if not isinstance(content, dict) or not {"state_dict", "hyper_parameters", "batches_seen"} <= content.keys():
        raise InputError(f"{path} is not a checkpoint of dhns: it lacks its keys; give the .ckpt of a dhns run")
    return content


def load_weights(module: LinkPredictionModule, path: Path) -> None:
    """Put the weights of a checkpoint into a module of the same configuration.

    Raises:
        InputError: the checkpoint is damaged, or its tensors do not fit.
    """
    content = read_checkpoint(path)
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{path} does not fit the graph at hand ({reason}); has the data set changed since it was trained?"
        ) from None


def load_module(path: Path, device: torch.device | str = "cpu") -> LinkPredictionModule:
    """The trained module of a checkpoint file or run folder, with its graph, ready to score.

    Raises:
        InputError: see `find_checkpoint`, `read_checkpoint`, `load_weights`.
    """
    checkpoint = find_checkpoint(path)
    config = OmegaConf.create(read_checkpoint(checkpoint)["hyper_parameters"]["config"])
    graph = instantiate(config.protocol).prepare(instantiate(config.dataset))
    module = LinkPredictionModule(read_checkpoint(checkpoint)["hyper_parameters"]["config"], graph)
    load_weights(module, checkpoint)
    return module.to(device).eval()
