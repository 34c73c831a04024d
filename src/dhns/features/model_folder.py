"""Folders of pretrained models, local or fetched from the Hugging Face hub: safetensors and settings, no code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhns.errors import InputError
from dhns.extras import optional
from dhns.files import sha256

WEIGHTS = ".safetensors"
_SETTINGS = (".json", ".txt", ".model")


@dataclass(frozen=True)
class ModelFolder:
    """A model on disk.

    Attributes:
        name: as the hub knows it, or that of the folder.
        revision: commit of the hub; None for a local folder.
        path: holds settings and weights.
    """

    name: str
    revision: str | None
    path: Path

    @property
    def description(self) -> dict[str, Any]:
        """Name, revision, and SHA-256 of each file of weights and of all settings together."""
        files = sorted(path for path in self.path.rglob("*") if path.is_file())
        settings = hashlib.sha256()
        for path in files:
            if path.suffix in _SETTINGS:
                settings.update(f"{path.relative_to(self.path).as_posix()} {sha256(path)}\n".encode())
        weights = {path.relative_to(self.path).as_posix(): sha256(path) for path in files if path.suffix == WEIGHTS}
        return {
            "name": self.name,
            "revision": self.revision,
            "weights_sha256": weights,
            "settings_sha256": settings.hexdigest(),
        }


def find_model(model: str, revision: str | None, local_files_only: bool) -> ModelFolder:
    """A local folder, or the snapshot of a model of the hub, of which only weights and settings are fetched.

    Args:
        model: a folder, or a name on the hub.
        revision: branch, tag or commit on the hub; None is its main branch.
        local_files_only: take what an earlier call fetched, without asking the hub.

    Raises:
        InputError: it is neither, the hub cannot be reached, or there are no weights in safetensors.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise InputError(f"{folder} is a local folder; revision={revision} is for models of the hub, leave it out")
        found = ModelFolder(folder.resolve().name, None, folder)
    else:
        found = _fetch(model, revision, local_files_only)
    _require_safetensors(found)
    return found


def _fetch(model: str, revision: str | None, local_files_only: bool) -> ModelFolder:
    hub = optional("huggingface_hub", "dhns features", "features")
    patterns = [f"*{suffix}" for suffix in (WEIGHTS, *_SETTINGS)]
    try:
        path = hub.snapshot_download(
            model, revision=revision, local_files_only=local_files_only, allow_patterns=patterns
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"model '{model}' is no folder, and cannot be fetched from the Hugging Face hub: {reason} Where there is a "
            f"network, 'hf download {model} --local-dir FOLDER' fetches it; then give that FOLDER as the model"
        ) from error
    return ModelFolder(model, Path(path).name, Path(path))


def _require_safetensors(model: ModelFolder) -> None:
    """Pickled weights could run code; a part of a model that has no others is refused."""
    parts = {path.parent for path in model.path.rglob("pytorch_model*.bin")} | {model.path}
    for part in sorted(parts):
        if not any(part.glob(f"*{WEIGHTS}")):
            raise InputError(
                f"model '{model.name}' has no {WEIGHTS} weights in {part}, and pickled ones are never loaded; convert "
                "them with save_pretrained(FOLDER, safe_serialization=True), or choose another revision"
            )
