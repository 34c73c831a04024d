"""The data sets of a table, which are there before anything is trained on them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from hydra import compose
from hydra.utils import get_class
from omegaconf import DictConfig

from dhns.config.composition import own_files
from dhns.errors import InputError
from dhns.experiments.reproduction.cells import FEATURES, Cell, features_named, listed, table_datasets
from dhns.graph.inputs import data_folder, feature_files
from dhns.sources.obtain import NotThere, other_ways, published, require_dataset
from dhns.sources.source import Source

_OF_DATA = (FEATURES, "dataset.", "+dataset.", "++dataset.", "~dataset.", "paths.")


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
    def official(self) -> list[Path]:
        """Where its official features are once they are fetched and converted; empty if it has none."""
        files = self.source.files if self.source else ()
        return [data_folder(self.settings) / file.features for file in files if file.features]

    def features(self, chosen: Mapping[str, str]) -> list[Path]:
        """The feature files that its runs read, as `chosen_features` has it."""
        return self.official if self.choice in chosen else self.named

    @property
    def named(self) -> list[Path]:
        """The feature files that its settings name."""
        return list(feature_files(self.settings).values())


def read_datasets(settings: DictConfig) -> list[TableDataset]:
    """The data sets of ``settings`` (``conf/reproduce.yaml``).

    Raises:
        InputError: see `table_datasets`; the overrides are no list.
        HydraException: an override of a data set does not fit it.
    """
    own = _overrides(settings, _OF_DATA)
    datasets = []
    for choice in table_datasets(settings):
        dataset = compose("data", overrides=[f"dataset={choice}", *own, *own_files()]).dataset
        datasets.append(TableDataset(choice, dataset, published(choice, dataset)))
    return datasets


def obtain(settings: DictConfig, may_fetch: bool) -> None:
    """Fetch the data sets of a table that are not there; say which cannot be had, and how to go on.

    Raises:
        InputError: none is there.
    """
    datasets, absent = read_datasets(settings), []
    files, _ = _choices(settings)
    official = set(files) <= {"official"}
    for dataset in datasets:
        if dataset.source is None:
            continue
        try:
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


def chosen_features(settings: DictConfig, datasets: Sequence[TableDataset]) -> dict[str, str]:
    """What ``features`` is in the runs of each data set that has all its official features.

    The other runs read what their data set names, and all do what the overrides say, if they choose files. Of a control
    (``features=shuffled``), overrides say the kind alone, and the files are those of the runs without it.
    """
    files, controls = _choices(settings)
    if files:
        return {}
    choice = f"[{','.join(['official', *controls])}]" if controls else "official"
    return {dataset.choice: choice for dataset in datasets if dataset.official and _all_there(dataset.official)}


def told(datasets: Sequence[TableDataset], features: Mapping[str, str]) -> Iterator[str]:
    """Lines on the features of data sets that have official ones: which are read, or how to get some.

    Args:
        datasets: of a table.
        features: see `chosen_features`.
    """
    for dataset in datasets:
        if not (dataset.there and dataset.official):
            continue
        paths = dataset.features(features)
        yield f"{dataset.name}: features {', '.join(path.name for path in paths) or 'none'}"
        if not _all_there(paths):
            yield (
                f"{dataset.name} lacks them, so rows that read them will have no result; 'dhns data download "
                f"dataset={dataset.choice}' fetches the official ones, docs/data.md says how to make others"
            )


def hindrance(cell: Cell, datasets: Sequence[TableDataset], features: Mapping[str, str]) -> str | None:
    """Why no run of a cell can succeed here, so that none is tried; None if nothing is known against it.

    Args:
        cell: of a table.
        datasets: of the table.
        features: see `chosen_features`.
    """
    for dataset in datasets:
        if dataset.name != cell.dataset:
            continue
        if not dataset.there:
            return f"{dataset.name} is not there"
        paths = dataset.features(features)
        if paths and not any(path.is_file() for path in paths) and reads_features(cell):
            return f"{dataset.name} lacks the features that it reads: {', '.join(path.name for path in paths)}"
    return None


def reads_features(cell: Cell) -> bool:
    """Whether a model cannot do without the features that its data set names."""
    return any(getattr(get_class(part), "reads_features", False) for part in cell.parts)


def _choices(settings: DictConfig) -> tuple[list[str], list[str]]:
    """The files of ``conf/features`` that overrides choose: those that name features, and those of controls."""
    names = features_named(map(str, listed(settings, "overrides")))
    if not names:
        return [], []
    from dhns.graph.feature_controls import Control  # which imports torch

    controls = [name for name in names if name in get_args(Control)]
    return [name for name in names if name not in controls], controls


def _overrides(settings: DictConfig, beginning: str | tuple[str, ...]) -> list[str]:
    return [override for override in map(str, listed(settings, "overrides")) if override.startswith(beginning)]


def _all_there(paths: Iterable[Path]) -> bool:
    return all(path.is_file() for path in paths)
