"""What the report of one run says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhns.config.starting_points import BLEND
from dhns.errors import InputError
from dhns.reporting.charts import LineChart, Series, line_chart
from dhns.reporting.curves import NONE as NO_CURVES
from dhns.reporting.curves import NONE_OF_BLEND, Curves, best_epoch, read_curves
from dhns.reporting.material import data_address
from dhns.reporting.model_parts import Model, ModelParts, model_parts
from dhns.reporting.pieces import (
    NO_RANKS,
    TOO_FEW,
    Sliced,
    cost_rows,
    interval_text,
    plain_value,
    shown_notes,
    shown_settings,
    sliced,
    sliced_by_relation,
)
from dhns.reporting.tables import PageTable, of_console, of_rows
from dhns.results import titles
from dhns.results.comparison import Comparison, compare
from dhns.results.provenance import version_facts
from dhns.results.schema import METRICS
from dhns.results.systems import data_sets
from dhns.results.tables import percent, run_table


@dataclass(frozen=True)
class Tile:
    """A number that stands for the run."""

    label: str
    value: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class OneRun:
    """A run, or a blend of some."""

    name: str
    hash: str
    dataset: str
    split: str
    facts: tuple[tuple[str, str], ...]
    tiles: tuple[Tile, ...]
    metrics: PageTable
    slices: tuple[Sliced, ...]
    no_slices: str
    charts: tuple[LineChart, ...]
    no_charts: str
    model: ModelParts
    hardness_figure: str | None
    cost: PageTable
    main_settings: PageTable
    settings: PageTable
    prints: PageTable
    notes: tuple[str, ...]


def one_run(
    folder: Path,
    result: dict[str, Any],
    split: str,
    model: Model | InputError,
    data: Path | None = None,
    images: Path | None = None,
    texts: Path | None = None,
) -> OneRun:
    """All sections of a report.

    Args:
        folder: of the run.
        result: its content, see `dhns.results.store.read_result`.
        split: whose metrics are shown.
        model: of the run, or why there is none.
        data: folder of published data sets, for the names of relations of older results.
        images: see `descriptions`.
        texts: likewise.

    Raises:
        InputError: images or texts are not what they should be.
    """
    (of_data,) = data_sets([(folder / "result.json", result)], split)
    found = {by: compare(of_data, by=by, data_sets=data) for by in ("side", "popularity", "relation")}
    curves, is_blend = read_curves(folder), (folder / BLEND).is_file() or "members" in result["config"]
    charts = tuple(_charts(curves, result))
    parts = model_parts(model, result, split, images, texts)
    figure = folder / "hardness.png"
    metrics = run_table(result, split)
    return OneRun(
        name=titles.name(result),
        hash=result["config_hash"],
        dataset=result["dataset"],
        split=split,
        facts=tuple(_facts(result)),
        tiles=tuple(_tiles(result, split, found["side"])),
        metrics=of_console(metrics, f"{split} split, filtered, realistic ranks, %"),
        slices=tuple(_slices(found)),
        no_slices=_why_no_intervals(found["side"]),
        charts=charts,
        no_charts="" if charts else NONE_OF_BLEND if is_blend else NO_CURVES,
        model=parts,
        hardness_figure=_figure(figure) if parts.hardness and not parts.hardness.boxes else None,
        cost=of_rows("What the run took", ["", "this run"], cost_rows(result)),
        main_settings=of_rows(
            "The choices that make the system", ["", "choice"], _main_settings(result), numeric=False
        ),
        settings=of_rows(
            "All settings that change numbers",
            ["setting", "value"],
            list(shown_settings(result["config"]).items()),
            numeric=False,
        ),
        prints=of_rows(
            "Fingerprints", ["part", "SHA-256"], list((result.get("fingerprints") or {}).items()), numeric=False
        ),
        notes=tuple(_notes(result)),
    )


def _notes(result: Mapping[str, Any]) -> list[str]:
    versions = [f"versions: {version_facts([dict(result)])}"] if result.get("versions") else []
    return [*shown_notes([result]), *versions]


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("data set", result["dataset"]), ("protocol", result["protocol"]["name"]), ("seed", str(result["seed"]))]
    if negatives := titles.sampler(result):
        facts.append(("negatives", negatives))
    if weights := result.get("weights"):
        facts.append(("weights", " ".join(f"{weight:.2f}" for weight in weights)))
    if (result["config"].get("budget") or "full") != "full":
        facts.append(("budget", str(result["config"]["budget"])))
    return facts


def _tiles(result: Mapping[str, Any], split: str, comparison: Comparison) -> list[Tile]:
    metrics, baseline = result["metrics"][split], (result.get("baseline") or {}).get(split) or {}
    names = {"mrr": "MRR", "hits@1": "Hits@1", "hits@3": "Hits@3", "hits@10": "Hits@10"}
    tiles = []
    for metric in METRICS:
        notes = []
        if metric == "mrr" and comparison.slices and (text := interval_text(*_bounds(comparison))):
            notes.append(f"95 %: {text}")
        if metric in baseline:
            notes.append(f"relation frequency: {percent(baseline[metric])}")
        tiles.append(Tile(names[metric], percent(metrics[metric]), tuple(notes)))
    return tiles


def _bounds(comparison: Comparison) -> tuple[float | None, float | None]:
    estimate = comparison.slices[0].estimates[0]
    return estimate.low, estimate.high


def _why_no_intervals(comparison: Comparison) -> str:
    if not comparison.slices:
        return NO_RANKS
    return TOO_FEW if comparison.slices[0].estimates[0].low is None else ""


def _slices(found: Mapping[str, Comparison]) -> list[Sliced]:
    parts = [
        sliced("By side", "side", "Which end of the triple was asked for.", found["side"]),
        sliced(
            "By popularity of the answer",
            "training triples",
            "Training triples that hold the answer, in deciles of the queries: rare answers first.",
            found["popularity"],
        ),
        sliced_by_relation(found["relation"]),
    ]
    return [part for part in parts if part is not None]


def _charts(curves: Curves, result: Mapping[str, Any]) -> list[LineChart]:
    best = best_epoch(curves, result)
    mark = (best, f"ranked: epoch {best}") if best is not None else None

    def series(names: Mapping[str, str], scale: float = 1) -> list[Series]:
        there = [(label, curves[name]) for name, label in names.items() if curves.get(name)]
        return [
            Series(label, [(epoch, scale * value) for epoch, value in points], number)
            for number, (label, points) in enumerate(there, start=1)
        ]

    losses = {"train/loss_kgc": "sampled", "train/loss_generated": "generated", "train/loss_own_entity": "own entity"}
    whole = {"train/loss": "all"} if len([name for name in losses if name in curves]) > 1 else {}
    hits = {"valid/hits@10": "Hits@10", "valid/hits@3": "Hits@3", "valid/hits@1": "Hits@1"}
    rates = {"lr/model": "model", "lr/generator": "generator", "lr/sampler": "sampler"}
    charts = [
        line_chart("Loss of the model", series(whole | losses), from_zero=True),
        line_chart("Loss of the generator", series({"train/loss_diffusion": "generator"}), from_zero=True),
        line_chart("Loss of the sampler", series({"train/loss_sampler": "sampler"})),
        line_chart("Validation MRR, %", series({"valid/mrr": "MRR"}, 100), mark=mark),
        line_chart("Validation Hits@k, %", series(hits, 100), mark=mark),
        line_chart("Learning rates", series(rates), from_zero=True),
    ]
    return [chart for chart in charts if chart is not None]


def _main_settings(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The object of each group and what it takes, but for objects within."""
    config = result["config"]
    if "members" in config:
        members = [f"{each['system']} #{each['config_hash']}" for each in config["members"]]
        return [("members", ", ".join(members)), ("weights", plain_value(config.get("weights")))]
    rows = []
    for group in ("scorer", "encoder", "negatives", "loss", "regularizer", "generator", "optimization"):
        node = config.get(group) or {}
        if group == "generator" and node:
            told = {"levels": [level.get("time") for level in node.get("levels") or ()], "weight": node.get("weight")}
            node = {"_target_": str(node.get("name", "")), **told}
        if group == "optimization" and node:
            node = node.get("optimizer") or {}
        if node:
            values = [
                f"{key} {plain_value(value)}"
                for key, value in node.items()
                if not key.startswith("_") and value is not None and not isinstance(value, Mapping)
            ]
            rows.append((group, " · ".join([str(node.get("_target_", "")).rpartition(".")[2], *values])))
    plain = titles.settings(config)
    for name, key in (
        ("epochs at most", "trainer.max_epochs"),
        ("batch size", "data.batch_size"),
        ("precision", "trainer.precision"),
    ):
        if plain.get(key) is not None:
            rows.append((name, plain_value(plain[key])))
    return rows


def _figure(path: Path) -> str | None:
    return data_address(path.read_bytes()) if path.is_file() else None
