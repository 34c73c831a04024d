"""Figures."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dhns.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from dhns.results.missing import Setting


def plot_hardness(samples: dict[str, Tensor], path: Path) -> None:
    """Box plots of the scores of true triples, generated negatives from hard to easy, and sampled negatives.

    If the levels order as the paper claims, the medians fall from left to right.

    Args:
        samples: 1-d scores by name, as `dhns.training.hardness.score_samples` gives them.
        path: of the PNG.
    """
    levels = sorted((name for name in samples if name.startswith("level_") and "/" not in name), key=_time)
    names = ["true", *levels, "sampled"]
    labels = ["true triples", *(f"generated\nt = {_time(name):g} T" for name in levels), "sampled\nnegatives"]
    figure = _figure((1.4 * len(names) + 1, 4))
    axes = figure.subplots()
    boxes = axes.boxplot(
        [samples[name].numpy() for name in names], tick_labels=labels, showfliers=False, patch_artist=True, whis=(5, 95)
    )
    colours = ["#4c9f70", *["#d98c3f"] * len(levels), "#8091a7"]
    for box, colour in zip(boxes["boxes"], colours, strict=True):
        box.set_facecolor(colour)
    axes.set_ylabel("score (higher is truer)")
    axes.set_title(
        "Score by hardness level: hard to easy, left to right (boxes: quartiles, whiskers: 5-95 %)", fontsize=9
    )
    axes.grid(axis="y", alpha=0.3)
    _save(figure, path)


def plot_missing(results: Mapping[Setting, list[dict[str, Any]]], split: str, path: Path) -> None:
    """MRR against the share of entities that lost their modalities: a panel per strategy, a line per system.

    Args:
        results: of one data set, as `dhns.results.missing.by_missing` gives them.
        split: of the MRR.
        path: of the PNG.
    """
    strategies = list(dict.fromkeys(setting.strategy for setting in results if setting.strategy))
    systems = list(dict.fromkeys(setting.system for setting in results))
    size = (3.2 * len(strategies) + 1.2, 3.8)
    figure = _figure(size)
    panels = figure.subplots(1, len(strategies), sharey=True, squeeze=False)
    for strategy, axes in zip(strategies, panels[0], strict=True):
        for number, system in enumerate(systems):
            points = {
                100 * setting.share: [100 * run["metrics"][split]["mrr"] for run in runs]
                for setting, runs in results.items()
                if setting.system == system and setting.strategy in ("", strategy)
            }
            means = [sum(values) / len(values) for values in points.values()]
            below = [mean - min(values) for mean, values in zip(means, points.values(), strict=True)]
            above = [max(values) - mean for mean, values in zip(means, points.values(), strict=True)]
            style = {"color": f"C{number}", "marker": "o", "markersize": 4, "capsize": 3, "label": _plain(system)}
            axes.errorbar(list(points), means, yerr=[below, above], **style)
        axes.set_title(strategy, fontsize=9)
        axes.set_xlabel("lost it, % of the entities with a modality")
        axes.grid(alpha=0.3)
    panels[0][0].set_ylabel(f"{split} MRR, %")
    dataset = _plain(next(iter(results)).dataset)
    figure.suptitle(f"{dataset}: modalities taken away\nmean over seeds, bars from least to greatest", fontsize=9)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(systems)), fontsize=8)
    _save(figure, path)


def plot_reliability(curves: Mapping[str, np.ndarray], method: str, path: Path) -> None:
    """Share of facts by probability, on triples that the probabilities were not fitted to; the diagonal is right.

    Args:
        curves: bins by name, as `dhns.results.reliability.reliability` gives them.
        method: the name of the curve that was stored, which is drawn bold.
        path: of the PNG.
    """
    figure = _figure((4.8, 5.4))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=":")
    for number, (name, bins) in enumerate(curves.items()):
        style: dict[str, Any] = {"color": f"C{number}", "linewidth": 2.2 if name == method else 1}
        axes.plot(bins[:, 0], bins[:, 1], marker="o", markersize=4, label=name, **style)
        below.plot(bins[:, 0], bins[:, 2], marker="o", markersize=3, **style)
    axes.set_ylabel("share of facts")
    below.set_ylabel("triples")
    below.set_xlabel("probability")
    axes.set_title("Facts by probability, on triples held out of the fit", fontsize=9)
    axes.legend(fontsize=8)
    for each in (axes, below):
        each.grid(alpha=0.3)
    _save(figure, path)


def _figure(size: tuple[float, float]) -> Figure:
    backend = os.environ.pop("MPLBACKEND", None)  # of windows, and perhaps of a notebook that is not installed here
    try:
        from matplotlib.figure import Figure
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    return Figure(figsize=size, layout="constrained")


def _plain(text: str) -> str:
    """A name in which matplotlib finds no formula."""
    return text.replace("$", r"\$")


def _save(figure: Figure, path: Path) -> None:
    """Write a PNG, whole or not at all."""
    image = io.BytesIO()
    figure.savefig(image, dpi=120, format="png")
    write_bytes(path, image.getbuffer())


def _time(name: str) -> float:
    return float(name.removeprefix("level_"))
