"""``dhns data``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from dhns.commands.app import app
from dhns.commands.data_first import data_first
from dhns.errors import InputError
from dhns.graph.inputs import data_folder
from dhns.results.tables import show, two_columns

if TYPE_CHECKING:
    from dhns.graph.knowledge_graph import KnowledgeGraph
    from dhns.sources.source import Source


def _graph_first(config: DictConfig) -> None:
    """Have the data set there, unless that is what the action itself is about."""
    if not OmegaConf.is_missing(config, "action") and config.action not in ("download", "verify", "import"):
        data_first(config)


@app("data", first=_graph_first)
def main(config: DictConfig) -> None:
    """Print statistics or an audit of a data set, write its ids, fetch, check or import files, or convert features."""
    actions = {
        "stats": _stats,
        "audit": _audit,
        "ids": _ids,
        "download": _download,
        "verify": _verify,
        "convert": _convert,
        "import": _import,
    }
    *others, last = (f"dhns data {action}" for action in actions)
    if OmegaConf.is_missing(config, "action"):
        raise InputError(f"say what to do: {', '.join(others)} or {last}")
    if config.action not in actions:
        raise InputError(f"there is no 'dhns data {config.action}'; use {', '.join(actions)}")
    actions[config.action](config)


def _stats(config: DictConfig) -> None:
    from dhns.graph.load import load_graph
    from dhns.graph.statistics import statistics

    graph = load_graph(config)
    show(two_columns(f"stats of {graph.name}, {config.protocol.name} splits", statistics(graph).rows()))
    _print_notes(graph)


def _audit(config: DictConfig) -> None:
    from dhns.graph.audit import audit
    from dhns.graph.load import load_graph

    graph = load_graph(config)
    report = audit(graph)
    show(two_columns(f"audit of {graph.name}, {config.protocol.name} splits", report.rows()))
    _print_notes(graph)
    for warning in report.warnings:
        print(f"warning: {warning}")


def _print_notes(graph: KnowledgeGraph) -> None:
    for note in graph.notes:
        print(f"note: {note}")


def _ids(config: DictConfig) -> None:
    from dhns.graph.id_table import write_ids

    if config.out is None:
        raise InputError("say where to write the ids: dhns data ids dataset=NAME out=FILE")
    graph: KnowledgeGraph = instantiate(config.dataset, modalities=None)
    path, entities = Path(config.out).expanduser(), graph.entities
    write_ids(path, entities)
    print(f"{path}: {len(entities):,} entities in the order of their ids, 0 to {len(entities) - 1}")


def _download(config: DictConfig) -> None:
    from dhns.sources.download import by_hand
    from dhns.sources.obtain import fetch

    source, folder = _source(config), data_folder(config.dataset)
    outcomes, converted = fetch(source, config.dataset, source.files, config.mirror)
    if present := [(outcome.file.name, outcome.text) for outcome in outcomes if outcome.present]:
        show(two_columns(f"{source.dataset} in {folder}", present))
    for line in converted:
        print(line)
    if converted:
        print("features=official uses them")
    if lines := list(by_hand(outcomes, folder)):
        print("To be fetched by hand:", *lines, sep="\n")
    if failed := [outcome.file.name for outcome in outcomes if outcome.failed]:
        raise InputError(
            f"{len(failed)} of {len(outcomes)} files of {source.dataset} are not there: {', '.join(failed)}. The list "
            "above says why, and where to get them; then run 'dhns data verify'"
        )


def _verify(config: DictConfig) -> None:
    from dhns.sources.tables import checks_table

    source, folder = _source(config), data_folder(config.dataset)
    checks = source.check(folder)
    show(checks_table(f"{source.dataset} in {folder}", checks))
    if wrong := [check.file.name for check in checks if check.status == "differs"]:
        raise InputError(
            f"{folder}: not as published: {', '.join(wrong)}; move away what differs and run 'dhns data download'"
        )
    if lacking := [check.file.name for check in checks if check.status == "missing" and not check.file.optional]:
        raise InputError(f"{folder}: {', '.join(lacking)} not found; run 'dhns data download'")


def _convert(config: DictConfig) -> None:
    from dhns.files import sha256
    from dhns.names import plain_name
    from dhns.sources.feature_files import write_features
    from dhns.sources.feature_packs import read_links, read_pack

    if config.pack is None or config.modality is None:
        raise InputError("say what to convert: dhns data convert dataset=NAME pack=FILE.h5 modality=visual links=FILE")
    pack, folder = Path(config.pack).expanduser(), data_folder(config.dataset)
    path = folder / f"{plain_name(str(config.modality))}-mmrns.safetensors"
    links = read_links(Path(config.links).expanduser()) if config.links is not None else {}
    graph: KnowledgeGraph = instantiate(config.dataset, modalities=None)
    matching = read_pack(pack, graph.entities.keys, links)
    write_features(path, matching.modality, {"made_from": pack.name, "sha256": sha256(pack), "pooling": "mean"})
    show(two_columns(f"{path}, from {pack.name}", matching.rows()))
    print(f"use it by dataset.modalities.{config.modality}={path.name}")


def _import(config: DictConfig) -> None:
    from dhns.exchange.importing import ATTRIBUTES, IMAGES, TEXTS, Splitting, import_graph
    from dhns.exchange.options import ReadingOptions

    if config.input is None or config.out is None:
        raise InputError("say what to import, and where to: dhns data import input=FILE_OR_FOLDER out=FOLDER")
    made = import_graph(
        config.input,
        config.out,
        config.format,
        ReadingOptions(
            **{key: config[key] for key in ("head", "relation", "tail", "header", "quotes", "language")},
            attributes=frozenset(config.attributes),
            categories=frozenset(config.categories),
        ),
        Splitting(config.valid_fraction, config.test_fraction, config.seed),
    )
    show(two_columns(f"{made.folder}, from {Path(config.input).name}", made.rows()))
    for note in made.notes:
        print(f"note: {note}")
    data = f"dataset=tsv dataset.folder={made.folder}"
    print(f"look at it by dhns data audit {data}")
    if TEXTS in made.values:
        print(f"its texts become features by dhns features {data} texts={made.folder / TEXTS} out={made.folder}")
    if IMAGES in made.values:
        print(f"and its images by dhns features {data} images={made.folder / IMAGES} out={made.folder}")
    numbers = f" +dataset.modalities.numeric={ATTRIBUTES}" if ATTRIBUTES in made.values else ""
    print(f"train by dhns train {data}{numbers}")


def _source(config: DictConfig) -> Source:
    """What is published of the data set."""
    if not config.get("source"):
        raise InputError(f"data set '{config.dataset.name}' is published nowhere that conf/source knows")
    source: Source = instantiate(config.source)
    return source
