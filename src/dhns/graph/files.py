"""Where the files of a data set lie, by its settings; nothing is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf


def data_folder(dataset: DictConfig) -> Path:
    """The folder of a data set, or that of its only file."""
    return Path(dataset.folder if _has(dataset, "folder") else Path(dataset.path).parent).expanduser()


def feature_files(dataset: DictConfig) -> dict[str, Path]:
    """The feature file of each modality that the settings name."""
    modalities = dataset.get("modalities")
    if not (isinstance(modalities, DictConfig) and modalities and (_has(dataset, "folder") or _has(dataset, "path"))):
        return {}
    named: Any = OmegaConf.to_container(modalities, resolve=True, throw_on_missing=True)
    files = {name: source.get("path") if isinstance(source, dict) else source for name, source in named.items()}
    return {name: data_folder(dataset) / Path(str(file)).expanduser() for name, file in files.items() if file}


def _has(dataset: DictConfig, key: str) -> bool:
    """Whether there is such a setting, be it one that still has to be given."""
    return key in list(dataset)
