"""``dhns features``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from dhns.commands.app import app
from dhns.commands.data_first import data_first
from dhns.errors import InputError

if TYPE_CHECKING:
    from dhns.graph.knowledge_graph import Vocabulary


def _data_first(config: DictConfig) -> None:
    if config.new is None:
        data_first(config)


@app("features", first=_data_first)
def main(config: DictConfig) -> None:
    """Turn a folder or a table of images and a table of texts into feature files of a data set."""
    from hydra.utils import instantiate

    from dhns.features.extraction import Extraction
    from dhns.features.material import ImageFolder, ImageTable, TextTable
    from dhns.interruption import stopped_by_signals
    from dhns.results.tables import show, two_columns
    from dhns.training.device import choose_device

    if config.images is None and config.texts is None:
        raise InputError("nothing to encode; give images=FOLDER, texts=FILE, or both")
    if config.out is None:
        raise InputError("nowhere to put the features; give out=FOLDER")
    out, device = Path(config.out).expanduser(), str(choose_device(config.device))
    entities, whose = _entities(config)
    options = {key: config[key] for key in ("batch_size", "dtype", "when_unreadable", "force")}
    extraction = Extraction(**options, progress=config.progress and sys.stdout.isatty())
    images = None
    if config.images is not None:
        path = Path(config.images).expanduser()
        images = (ImageTable if path.is_file() else ImageFolder)(path, entities)
    texts = TextTable(Path(config.texts).expanduser(), entities) if config.texts is not None else None
    tasks = (("visual", images, config.image_encoder), ("textual", texts, config.text_encoder))
    for name, material, settings in tasks:
        if material is None:
            continue
        if material.unknown:
            print(f"warning: {material.source}: {_listed(material.unknown)} of no entity of {whose}")
        encoder = instantiate(settings, device=device)
        path = out / f"{name}.safetensors"
        with stopped_by_signals():
            description = extraction.run(material, encoder, entities, path)
        show(two_columns(f"{name} features of {whose}", _rows(path, description)))


def _entities(config: DictConfig) -> tuple[Vocabulary, str]:
    """Names of the entities that features are made of, and whose they are."""
    from hydra.utils import instantiate

    from dhns.graph.newcomers import read_names

    if config.new is not None:
        folder = Path(config.new).expanduser()
        names, notes = read_names(folder)
        for note in notes:
            print(f"note: {note}")
        return names, str(folder)
    # for its entities alone: the features that it names may be those to be made
    graph = instantiate(config.dataset, modalities=None)
    return graph.entities, graph.name


def _listed(unknown: list[str]) -> str:
    first = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
    return f"{len(unknown)} left out ({first}), which {'is' if len(unknown) == 1 else 'are'}"


def _rows(path: Path, description: dict[str, Any]) -> list[tuple[str, str]]:
    rows, dim = description["shape"]
    unreadable = f", {description['unreadable']} unreadable" if description["unreadable"] else ""
    return [
        ("file", str(path)),
        ("encoder", description["encoder"]["name"]),
        ("entities with features", f"{rows:,} of {description['entities']['count']:,}"),
        ("encoded", f"{description['input']['items']:,} of {description['input']['source']}{unreadable}"),
        ("values", f"{dim} of {description['dtype']}"),
    ]
