"""Where the files of a data set lie, by its settings; nothing is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf


def data_folder(dataset: DictConfig) -> Path:
    """The folder of a data set, or that of its only file."""
    folder = dataset.folder if "folder" in dataset.keys() else Path(dataset.path).parent  # noqa: SIM118 (of ??? as well)
    return Path(folder).expanduser()


def feature_files(dataset: DictConfig) -> dict[str, Path]:
    """The feature file of each modality that the settings name."""
    named: Any = OmegaConf.to_container(dataset.get("modalities") or {}, resolve=True, throw_on_missing=True)
    files = {name: source.get("path") if isinstance(source, dict) else source for name, source in named.items()}
    return {name: data_folder(dataset) / Path(file).expanduser() for name, file in files.items() if file}
