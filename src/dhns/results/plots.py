"""Figures."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor


def plot_hardness(samples: dict[str, Tensor], path: Path) -> None:
    """Box plots of the scores of true triples, generated negatives from hard to easy, and sampled negatives.

    If the levels order as the paper claims, the medians fall from left to right.

    Args:
        samples: 1-d scores by name, as `dhns.training.hardness.score_samples` gives them.
        path: of the PNG.
    """
    import matplotlib.pyplot as plt

    levels = sorted((name for name in samples if name.startswith("level_") and "/" not in name), key=_time)
    names = ["true", *levels, "sampled"]
    labels = ["true triples", *(f"generated\nt = {_time(name):g} T" for name in levels), "sampled\nnegatives"]
    figure, axes = plt.subplots(figsize=(1.4 * len(names) + 1, 4), layout="constrained")
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
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp.png")
    figure.savefig(temporary, dpi=120)
    plt.close(figure)
    temporary.replace(path)


def _time(name: str) -> float:
    return float(name.removeprefix("level_"))
