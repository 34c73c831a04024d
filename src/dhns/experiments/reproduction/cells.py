"""The cells of a table, a row on one data set each: what the paper prints there, and which runs give our number."""

from __future__ import annotations

import difflib
import json
import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dhns.config.composition import of_no_choice, own_files, require_plain_choices
from dhns.config.identity import config_hash
from dhns.errors import InputError
from dhns.resources import conf_dir
from dhns.results.store import FILE_NAME

FEATURES = "features="
TUNED = "experiment=tuned"
"""What all runs of tables are: of the settings in ``conf/experiment/tuned``."""
CHUNK = 8
"""Cells that one process composes at a time: a composition takes about 0.1 s, and a table has up to 90."""


@dataclass(frozen=True)
class Run:
    """One training of a cell.

    Attributes:
        choices: overrides that tell its cell from others: the data set, the model.
        settings: overrides that all runs of a table share.
        folder: where it puts its files.
        config_hash: identity of its settings.
    """

    choices: tuple[str, ...]
    seed: int
    settings: tuple[str, ...]
    folder: Path
    config_hash: str

    @property
    def overrides(self) -> tuple[str, ...]:
        """What ``dhns train`` is called with."""
        return (TUNED, *self.choices, *self.settings, f"seed={self.seed}")

    @property
    def done(self) -> bool:
        """Whether there is a result."""
        return self.result_file.exists()

    @property
    def result_file(self) -> Path:
        """Exists once the run is finished."""
        return self.folder / FILE_NAME

    @property
    def failure_file(self) -> Path:
        """Exists if the last attempt failed."""
        return self.folder / "failure.json"

    @property
    def failure(self) -> str | None:
        """Why the last attempt failed; None if it did not."""
        if self.done or not self.failure_file.exists():
            return None
        return str(json.loads(self.failure_file.read_text(encoding="utf-8"))["reason"])

    @property
    def log_file(self) -> Path:
        """What all attempts printed."""
        return self.folder / "run.log"


@dataclass(frozen=True)
class Cell:
    """A row of a table on one data set.

    Attributes:
        label: name of the row in the table.
        published: metrics that the paper prints, in percent; may lack some or all.
        runs: one per seed.
        row: by which it is chosen.
        parts: the classes of its encoder and its sampler, as settings name them.
    """

    group: str
    label: str
    dataset: str
    published: dict[str, float]
    runs: tuple[Run, ...]
    row: str
    parts: tuple[str, ...] = ()


def table_cells(settings: DictConfig, features: Mapping[str, str] | None = None) -> list[Cell]:
    """The cells of ``settings.table``, by data set, then in the order of its rows.

    Two cells of the same settings, in one table or in two, share their runs.

    Args:
        settings: composed from ``conf/reproduce.yaml``.
        features: by file in ``conf/dataset``, what ``features`` is in its runs, whatever the overrides say; where there
            is nothing, runs read those that the data set names.

    Raises:
        InputError: rows, data sets or seeds that there are not, or a cell that cannot be composed.
    """
    table = settings.table
    groups = {str(row): str(group) for group, rows in table.groups.items() for row in rows}
    rows = _choice(settings, "rows", list(groups), list(groups))
    if settings.against is not None:
        _require_known(settings, "against", settings.against, list(groups))
    datasets = table_datasets(settings)
    seeds = list(dict.fromkeys(listed(settings, "seeds")))
    if not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise InputError(f"seeds is {seeds}; expected a list of integers, such as seeds=[0,1,2]")
    name = settings.protocol.name
    if settings.protocol != OmegaConf.load(conf_dir() / "protocol" / f"{name}.yaml"):
        raise InputError(f"a setting of protocol={name} is changed, which no run would see; give it in overrides=[...]")
    places = [_place(table, groups[row], row, dataset) for dataset in datasets for row in rows]
    shared = (f"protocol={name}", f"budget={settings.budget}", *map(str, listed(settings, "overrides")))
    require_plain_choices(shared)
    cells = [_settings(place, (features or {}).get(place.dataset), shared) for place in places]
    # forked, so that resolvers and environment are those of this process
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork"), initializer=_start_hydra) as pool:
        return list(pool.map(partial(_compose, seeds=seeds), *zip(*cells, strict=True), chunksize=CHUNK))


def table_datasets(settings: DictConfig) -> list[str]:
    """The data sets of a table that are asked for, as files in ``conf/dataset``.

    Raises:
        InputError: there is one that has no settings for tables.
    """
    known = sorted(path.stem for path in (conf_dir() / "experiment" / "tuned").glob("*.yaml"))
    return _choice(settings, "datasets", known, settings.table.datasets)


def distinct_runs(cells: Iterable[Cell]) -> list[tuple[Cell, Run]]:
    """Every run once, with the first cell that it belongs to; all runs of a seed before those of the next."""
    runs: dict[Path, tuple[Cell, Run]] = {}
    for cell in cells:
        for run in cell.runs:
            runs.setdefault(run.folder, (cell, run))
    order = list(dict.fromkeys(run.seed for _, run in runs.values()))
    return sorted(runs.values(), key=lambda pair: order.index(pair[1].seed))


@dataclass(frozen=True)
class _Place:
    """What a table itself says of a cell; see `Cell` and `Run`."""

    group: str
    row: str
    label: str
    dataset: str
    published: dict[str, float]
    choices: tuple[str, ...]


def _place(table: DictConfig, group: str, row: str, dataset: str) -> _Place:
    content = table.groups[group][row]
    printed = table.published.get(dataset, {}).get(row) or [None] * len(table.metrics)
    published = {name: value for name, value in zip(table.metrics, printed, strict=True) if value is not None}
    return _Place(group, row, content.label, dataset, published, (f"dataset={dataset}", *content.train))


def _settings(place: _Place, features: str | None, shared: tuple[str, ...]) -> tuple[_Place, tuple[str, ...]]:
    """A cell and the overrides of its runs, with one choice of features.

    A row may choose a control (``features=shuffled``), the data set and the overrides the files that it is one of.

    Args:
        place: of the cell.
        features: those of the data set, whatever the overrides say.
        shared: overrides.
    """
    own = [choice for choice in place.choices if choice.startswith(FEATURES)]
    given = [f"{FEATURES}{features}"] if features else [each for each in shared if each.startswith(FEATURES)]
    others = tuple(each for each in shared if not each.startswith(FEATURES))
    if not own:
        return place, (*given, *others)
    names = features_named((*given, *own))
    chosen = f"{FEATURES}[{','.join(dict.fromkeys(names))}]" if len(names) > 1 else own[0]
    return replace(place, choices=tuple(c for c in place.choices if c not in own)), (chosen, *others)


def features_named(overrides: Iterable[str]) -> list[str]:
    """The files of ``conf/features`` that overrides choose, one (``label``) or several (``[label,random]``)."""
    chosen = (each.removeprefix(FEATURES) for each in overrides if each.startswith(FEATURES))
    return [name.strip() for names in chosen for name in names.strip("[]").split(",")]


def _start_hydra() -> None:
    GlobalHydra.instance().clear()
    initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3")


def _compose(place: _Place, shared: tuple[str, ...], *, seeds: Sequence[int]) -> Cell:
    try:
        config = compose("train", overrides=[TUNED, *place.choices, *shared, *own_files()])
        runs = tuple(_runs(config, place.choices, seeds, shared))
    except (HydraException, OmegaConfBaseException) as error:
        # a class of our own: those of Hydra do not survive the way back from another process
        reason = of_no_choice(str(error)) or " ".join(str(error).split())
        what = f"{place.label} ({' '.join(place.choices)})"
        raise InputError(f"{what} cannot be composed: {reason}") from None
    parts = tuple(str(part["_target_"]) for part in (config.encoder, config.negatives) if part and "_target_" in part)
    return Cell(place.group, place.label, config.dataset.name, place.published, runs, place.row, parts)


def _runs(config: DictConfig, choices: tuple[str, ...], seeds: Iterable[int], shared: tuple[str, ...]) -> Iterator[Run]:
    identity = config_hash(config)
    for seed in seeds:
        config.seed = seed
        yield Run(choices, seed, shared, Path(config.run_dir), identity)


def _choice(settings: DictConfig, key: str, known: Sequence[str], default: Iterable[str]) -> list[str]:
    """The names under a key, in the order of those known, or ``default`` where it is null."""
    if settings[key] is None:
        return list(default)
    names = list(map(str, listed(settings, key)))
    for name in names:
        _require_known(settings, key, name, known)
    if not names:
        raise InputError(f"{key} is empty; name some, or leave it out")
    return [name for name in known if name in names]


def _require_known(settings: DictConfig, key: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        raise InputError(f"{key} names '{name}', which table {settings.table.number} has not; {hint}")


def listed(settings: DictConfig, key: str) -> list[Any]:
    """The list under a key.

    Raises:
        InputError: it is none.
    """
    if not isinstance(settings[key], ListConfig):
        raise InputError(f"{key} is {settings[key]!r}; expected a list, such as {key}=[{settings[key]}]")
    return list(settings[key])
