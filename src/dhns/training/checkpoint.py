"""Loading what a run saved; nothing is unpickled but tensors and plain containers."""

from __future__ import annotations

import inspect
import json
import sys
import warnings
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from dhns.config.renamed import present_settings
from dhns.config.resolvers import register_resolvers
from dhns.config.starting_points import BEST, BLEND, LAST, to_use
from dhns.errors import InputError
from dhns.graph.knowledge_graph import KnowledgeGraph
from dhns.graph.load import load_graph
from dhns.training.build import build_module
from dhns.training.module import LinkPredictionModule
from dhns.training.saved_graph import FILE_NAME as GRAPH_FILE
from dhns.training.saved_graph import load_saved_graph

METADATA = "dhns"
"""Where a checkpoint without states of training, a file of safetensors, has what is no tensor."""
RESUMABLE = frozenset({"optimizer_states", "lr_schedulers", "loops", "callbacks"})
"""What Lightning saves beside weights, to go on from."""
FUNCTIONS = ("dhns.graph.readers.", "dhns.generators.diffheg.settings.")
"""Modules whose functions settings may name; elsewhere in this package, classes alone."""


def find_checkpoint(path: Path) -> Path:
    """A checkpoint file, or the best (else the last) one of a run's folder.

    Raises:
        InputError: there is none.
    """
    if (found := to_use(path)) is not None:
        return found
    if (path / BLEND).is_file():
        raise InputError(
            f"{path} is a blend, which has no checkpoint of its own; give its members: {path}/members/0, ..."
        )
    raise InputError(f"no checkpoint at {path}; give a .ckpt file or the folder of a run (outputs/.../seed-0)")


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint file, on the CPU.

    Raises:
        InputError: it is missing, truncated, holds pickled objects, or was not written by this program.
    """
    try:
        _require_sound(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of foreign pickles, which are refused below
            content = _read_shared(path) if path.suffix == ".safetensors" else _read_own(path)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise InputError(f"cannot read the checkpoint {path}: {error.strerror}") from None
    except Exception as error:  # torch raises RuntimeError, OSError, EOFError and others on damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} is no readable checkpoint (truncated, or not from dhns): {reason}; train again (force=true)"
        ) from None
    if not isinstance(content, dict) or not {"state_dict", "batches_seen", "epoch"} <= content.keys():
        raise InputError(f"{path} is not a checkpoint of dhns: it lacks its keys; give the .ckpt of a dhns run")
    settings = content.get("hyper_parameters")
    if not isinstance(settings, dict) or not isinstance(settings.get("config"), dict):
        raise InputError(f"{path} is not a checkpoint of dhns: it holds no settings; give the .ckpt of a dhns run")
    settings["config"] = present_settings(settings["config"])
    return content


def _read_own(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _read_shared(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="pt") as file:
        about: dict[str, Any] = json.loads((file.metadata() or {})[METADATA])
        return {**about, "state_dict": {name: file.get_tensor(name) for name in file.keys()}}  # noqa: SIM118


def read_chosen(path: Path) -> tuple[Path, dict[str, Any]]:
    """The checkpoint of `find_checkpoint`, and its content.

    Raises:
        InputError: as `find_checkpoint` and `read_checkpoint`; or a run that ranks its best checkpoint lacks it, and
            the last one would be taken for it.
    """
    checkpoint = find_checkpoint(path)
    content = read_checkpoint(checkpoint)
    protocol = content["hyper_parameters"]["config"].get("protocol") or {}
    if path.is_dir() and checkpoint.stem == LAST and protocol.get("select") == "best_valid":
        raise InputError(
            f"{path} holds no {BEST}.ckpt: it is gone, or the run ended before its first validation; "
            f"give {checkpoint} for the state of the last epoch"
        )
    return checkpoint, content


def _require_sound(path: Path) -> None:
    """Compare every part of the file with its checksum, which `torch.load` does not.

    Raises:
        ValueError: a part has changed since it was written.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():
                raise ValueError(f"the checksum of {damaged} in it is wrong")


def require_resumable(content: dict[str, Any], module: LinkPredictionModule, path: Path) -> None:
    """Refuse to train on from a checkpoint of another graph, or of weights alone.

    Raises:
        InputError: it is one; the message names what differs or lacks.
    """
    if lacking := sorted(RESUMABLE - content.keys()):
        raise InputError(
            f"{path} holds weights but no {', '.join(lacking)}: training cannot go on from it; train again (force=true)"
        )
    _put_weights(module, content, path)


def require_best(content: dict[str, Any], folder: Path) -> None:
    """Refuse to train on where the best checkpoint so far is gone: no later epoch may come up to it.

    Raises:
        InputError: ``content``, the last checkpoint, remembers one, and ``folder`` holds none.
    """
    remembered = (state.get("monitor") and state.get("best_model_score") for state in content["callbacks"].values())
    if any(score is not None for score in remembered) and not (folder / f"{BEST}.ckpt").is_file():
        raise InputError(
            f"{folder / BEST}.ckpt is gone, the best of the epochs so far; put it back, or train again (force=true)"
        )


def require_same_graph(content: dict[str, Any], module: LinkPredictionModule, path: Path) -> None:
    """Refuse a graph on which the checkpoint was not trained: ids would mean other entities, or train triples test.

    Features that only one of the two has do not count: a model that reads them refuses a graph without.

    Raises:
        InputError: some fingerprints differ; the message names the parts.
    """
    if changed := changed_parts(content, module.fingerprints):
        raise InputError(
            f"{module.graph.name} has changed since {path} was trained: its {', '.join(changed)}; restore the files, "
            "or train again (force=true)"
        )


def changed_parts(content: Mapping[str, Any], found: Mapping[str, str]) -> list[str]:
    """The parts whose fingerprints differ from those of a checkpoint; none of one that has no fingerprints."""
    stored = content.get("fingerprints") or found
    both = stored.keys() & found.keys()
    parts = [key for key in stored.keys() | found.keys() if key in both or not key.startswith("modality/")]
    return sorted(key for key in parts if stored.get(key) != found.get(key))


def require_own_targets(settings: Any, path: Path, trusted: Collection[str] = ()) -> None:
    """Refuse a configuration that names anything to call but classes of this package and torch.optim, and `FUNCTIONS`.

    A checkpoint may come from a stranger, and what its ``_target_`` nodes name is called when it is loaded. What counts
    is where the thing is defined, not its name: a module of this package leads to whatever it imports. What lies in
    packages that the user trusts may be called too.

    Args:
        settings: of the checkpoint.
        path: of the checkpoint, for messages.
        trusted: names of top-level packages.

    Raises:
        InputError: it does; the message names the target.
    """
    if isinstance(settings, dict):
        target = settings.get("_target_")
        if target is not None and not _is_own(target) and not _is_trusted(target, trusted):
            raise InputError(f"{path} asks to call '{target}', which is not part of dhns{_advice(target)}")
        settings = [value for key, value in settings.items() if key != "logger"]
    if isinstance(settings, list):
        for value in settings:
            require_own_targets(value, path, trusted)


def _is_own(target: Any) -> bool:
    if not isinstance(target, str) or not target.startswith(("dhns.", "torch.optim.")):
        return False
    try:
        found = get_object(target)
    except Exception:  # whatever the import of a module raises
        return False
    home = f"{getattr(found, '__module__', '')}."
    return home.startswith(FUNCTIONS) or (inspect.isclass(found) and home.startswith(("dhns.", "torch.optim.")))


def _is_trusted(target: Any, trusted: Collection[str]) -> bool:
    package = str(target).partition(".")[0]
    return package in trusted and _can_be_trusted(package)


def _can_be_trusted(package: str) -> bool:
    """Nobody keeps a model in the standard library, torch or hydra, where what runs any command lies."""
    return package.isidentifier() and package not in sys.stdlib_module_names | {"dhns", "torch", "hydra"}


def _advice(target: Any) -> str:
    package = str(target).partition(".")[0]
    if not _can_be_trusted(package):
        return ": do not trust it"
    return f". If you know where it comes from and trust that code, add trust=[{package}]"


def load_weights(module: LinkPredictionModule, path: Path) -> None:
    """Put the weights of a checkpoint into a module of the same configuration.

    Raises:
        InputError: the checkpoint is damaged, of another graph, or its tensors do not fit.
    """
    _put_weights(module, read_checkpoint(path), path)


def _put_weights(module: LinkPredictionModule, content: dict[str, Any], path: Path) -> None:
    require_same_graph(content, module, path)
    try:
        module.load_state_dict(content["state_dict"])
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{path} does not fit the graph at hand ({reason}); has the data set changed since it was trained?"
        ) from None


def load_module(
    path: Path,
    device: torch.device | str = "cpu",
    dataset: Mapping[str, Any] | None = None,
    trusted: Collection[str] = (),
) -> LinkPredictionModule:
    """The trained module of a checkpoint file or run folder, with its graph, ready to score.

    Args:
        path: of the file or folder.
        device: to score on.
        dataset: settings of the data set, such as ``folder``, in place of those of the training: where the files lie
            now. Without them the graph is the one in the run's folder or, if it holds none, read from where it lay.
        trusted: top-level packages beside this one whose classes the checkpoint may name.

    Raises:
        InputError: see `find_checkpoint`, `read_checkpoint`, `require_own_targets`, `load_weights`.
    """
    register_resolvers()
    checkpoint, content = read_chosen(path)
    settings = content["hyper_parameters"]["config"]
    require_own_targets(settings, checkpoint, trusted)
    module = build_module(settings, _graph_of(checkpoint, settings, dataset))
    _put_weights(module, content, checkpoint)
    return module.to(device).eval()


def _graph_of(checkpoint: Path, settings: dict[str, Any], dataset: Mapping[str, Any] | None) -> KnowledgeGraph:
    folder = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    if not dataset and (folder / GRAPH_FILE).is_file():
        return load_saved_graph(folder)
    if "_target_" not in {**settings["dataset"], **(dataset or {})}:
        raise InputError(
            f"{checkpoint} was trained on a graph in memory, and {folder} holds no {GRAPH_FILE}; keep the run's folder "
            "together"
        )
    merged = OmegaConf.merge(OmegaConf.create(settings), {"dataset": dict(dataset or {})})
    assert isinstance(merged, DictConfig)
    return load_graph(merged)
