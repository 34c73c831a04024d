"""The data sets of a table, which are there before anything is trained on them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hydra import compose
from omegaconf import DictConfig

from dhns.errors import InputError
from dhns.graph.files import data_folder
from dhns.reproduction.cells import table_datasets
from dhns.sources.obtain import NotThere, other_ways, published, require_dataset
from dhns.sources.source import Source

Features = Literal["auto", "official", "label", "none"]
_OF_DATA = ("dataset.", "+dataset.", "++dataset.", "~dataset.", "paths.")


@dataclass(frozen=True)
class TableDataset:
    """A data set as the runs of a table read it.

    Attributes:
        choice: its file in ``conf/dataset``.
        settings: what is under ``dataset`` in the settings of its runs.
        source: what is published of it; None of one that is not.
    """

    choice: str
    settings: DictConfig
    source: Source | None

    @property
    def name(self) -> str:
        """For people, and in results."""
        return str(self.settings.name)

    @property
    def there(self) -> bool:
        """Whether the graph can be read, as far as names of files tell."""
        return self.source is None or not self.source.absent(data_folder(self.settings))

    @property
    def has_official_features(self) -> bool:
        """Whether all official features are there, converted."""
        names = [file.features for file in self.source.files if file.features] if self.source else []
        return bool(names) and all((data_folder(self.settings) / name).is_file() for name in names)


def read_datasets(settings: DictConfig) -> list[TableDataset]:
    """The data sets of ``settings`` (``conf/reproduce.yaml``).

    Raises:
        InputError: see `table_datasets`.
        HydraException: an override of a data set does not fit it.
    """
    own = [override for override in settings.overrides if override.startswith(_OF_DATA)]
    datasets = []
    for choice in table_datasets(settings):
        features = [] if settings.features == "auto" else [f"features={settings.features}"]
        dataset = compose("data", overrides=[f"dataset={choice}", *features, *own]).dataset
        datasets.append(TableDataset(choice, dataset, published(choice, dataset)))
    return datasets


def obtain(settings: DictConfig, may_fetch: bool) -> None:
    """Fetch the data sets of a table that are not there; say which cannot be had, and how to go on.

    Raises:
        InputError: none is there.
    """
    datasets, absent = read_datasets(settings), []
    for dataset in datasets:
        if dataset.source is None:
            continue
        try:
            official = settings.features in ("auto", "official")
            require_dataset(dataset.source, dataset.settings, settings.mirror, may_fetch, official)
        except NotThere as reason:
            absent.append(dataset.name)
            print(reason, file=sys.stderr)
    if not absent:
        return
    ways = (
        f"put the files there, {other_ways(absent)}; without any download: "
        f"make reproduce-table{settings.table.number} DATASETS=world_flags BUDGET=short"
    )
    if len(absent) == len(datasets):
        raise InputError(f"nothing is run without {' and '.join(absent)}: {ways}")
    print(f"the others are run without {' and '.join(absent)}: {ways}", file=sys.stderr, flush=True)


def features_of(datasets: Sequence[TableDataset], wanted: Features) -> dict[str, str]:
    """Which features the runs of each data set read, where it is not those that it names: the official if they can.

    Args:
        datasets: of a table.
        wanted: ``auto``, or what all have to read.
    """
    if wanted != "auto":
        return {dataset.choice: wanted for dataset in datasets}
    return {dataset.choice: "official" for dataset in datasets if dataset.has_official_features}
