"""A published data set is there before it is read: what is absent is fetched, or one message says how to get it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dhns.errors import InputError
from dhns.graph.inputs import data_folder
from dhns.resources import conf_file
from dhns.sources.download import Outcome, download, one_at_a_time
from dhns.sources.origins import Web, origin, unreachable
from dhns.sources.source import PublishedFile, Source


class NotThere(InputError):
    """A published data set is not there, and could or should not be fetched."""


def published(choice: str, dataset: DictConfig) -> Source | None:
    """What ``conf/source`` knows of a data set's files; None where it knows nothing.

    Args:
        choice: name of its file in ``conf/dataset``.
        dataset: its settings.
    """
    if (path := conf_file("source", choice)) is None:
        return None
    config = OmegaConf.create({"source": OmegaConf.load(path), "dataset": {"name": dataset.name}})
    source: Source = instantiate(config.source)
    return source


def require_dataset(
    source: Source, dataset: DictConfig, mirror: str | None = None, may_fetch: bool = True, official: bool = False
) -> None:
    """Fetch a data set that is not there. Features that cannot be had are told and left to what reads them.

    Args:
        source: what is published of the data set.
        dataset: its settings.
        mirror: see `origin`.
        may_fetch: false fetches nothing.
        official: also fetch the official features, which are large, and convert them.

    Raises:
        NotThere: the graph is not there, and was not fetched; the message says why, and what to do.
        InputError: see `fetch`.
    """
    folder = data_folder(dataset)
    if not (absent := source.absent(folder)):
        return
    if not may_fetch:
        raise NotThere(_how_to_get(source, absent, folder, "download=false"))
    place = origin(source.dataset, mirror)
    for server in place.servers(absent) if isinstance(place, Web) else ():
        if reason := unreachable(server):
            raise NotThere(_how_to_get(source, absent, folder, reason))
    published = [file for file in source.files if file.url or mirror or not file.optional]
    files = [file for file in published if official or not file.features]
    print(f"{source.dataset}: fetching {len(files)} files, {_size(files)}, into {folder}", flush=True)
    outcomes, converted = fetch(source, dataset, files, mirror)
    if failed := [outcome for outcome in outcomes if not (outcome.present or outcome.file.optional)]:
        reasons = list(dict.fromkeys(outcome.text for outcome in failed))
        more = f", and {len(reasons) - 1} more reasons like it" if reasons[1:] else ""
        raise NotThere(_how_to_get(source, [outcome.file for outcome in failed], folder, reasons[0] + more))
    lines = [f"{outcome.file.name}: {outcome.text}" for outcome in outcomes if outcome.present or outcome.file.features]
    print(*lines, *converted, sep="\n", flush=True)


def other_ways(datasets: Sequence[str]) -> str:
    """What else a person can do who has the files of data sets elsewhere."""
    held = f"holds {' and '.join(f'{dataset}/' for dataset in datasets)}"
    return (
        f"set DHNS_DATA to a folder that {held}, or give mirror=PLACE, a folder, an archive or an address that {held}"
    )


def fetch(
    source: Source, dataset: DictConfig, files: Sequence[PublishedFile], mirror: str | None
) -> tuple[list[Outcome], list[str]]:
    """Fetch files of a data set and convert the official tensors among them, one process at a time.

    Returns:
        what became of each file, and a line on each tensor that was converted.

    Raises:
        InputError: the folder of the data set cannot be written to, or ``mirror`` is no place.
    """
    folder, place = data_folder(dataset), origin(source.dataset, mirror)
    with one_at_a_time(folder):
        outcomes = download(files, place, folder)
        return outcomes, [] if source.absent(folder) else list(_converted(outcomes, dataset, folder))


def _converted(outcomes: Sequence[Outcome], dataset: DictConfig, folder: Path) -> Iterator[str]:
    tensors = [outcome.file for outcome in outcomes if outcome.present and outcome.file.features]
    if not tensors:
        return
    from dhns.sources.feature_files import convert_official

    num_entities = len(instantiate(dataset, modalities=None).entities)
    for file in tensors:
        path, counted = convert_official(file, folder, num_entities)
        yield f"{path.name}: {counted}"


def _how_to_get(source: Source, files: Sequence[PublishedFile], folder: Path, reason: str) -> str:
    """What is not there and why, from where a person gets it, and where it has to go."""
    places = dict.fromkeys(file.url.rpartition("/")[0] + "/" for file in files if file.url)
    places |= dict.fromkeys(file.by_hand for file in files if file.by_hand)
    return (
        f"{source.dataset} is not there and was not fetched ({reason}). Put {', '.join(file.name for file in files)} "
        f"({_size(files)}) from {' or '.join(places) or 'its publisher'} into {folder}"
    )


def _size(files: Sequence[PublishedFile]) -> str:
    return f"{sum(file.bytes for file in files) / 1e6:,.1f} MB"
