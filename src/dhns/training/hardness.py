"""Scores of generated negatives by level and view, for the plot and the result file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dhns.generators.hardness_adaptive import scores_by_view
from dhns.models.batch import score_negatives
from dhns.negatives.uniform import UniformSampler
from dhns.randomness import stream

if TYPE_CHECKING:
    from dhns.training.module import LinkPredictionModule

MOST_TRIPLES = 512


@torch.no_grad()
def score_samples(module: LinkPredictionModule, triples: Tensor) -> dict[str, Tensor]:
    """Scores of true triples, of uniformly drawn negatives, and of generated negatives of each level.

    Args:
        module: trained, with a generator.
        triples: ``(n, 3)``; at most 512 of them are used.

    Returns:
        1-d tensors by name, none empty: ``true``, ``sampled``, and ``level_<time>`` as the loss scores it (views
        joined), beside ``level_<time>/<view>`` for each view alone.
    """
    assert module.generator is not None
    generator = stream(module.seed, "hardness report", device=module.device)
    triples = triples[:MOST_TRIPLES].to(module.device)
    # not the run's own sampler, which may learn from what it draws
    sampler = UniformSampler(module.graph, sides="random").to(module.device)
    negatives = sampler(triples, 0, generator, module.model)
    batch, positive, negative, _ = score_negatives(module.model, triples, negatives)
    samples = {"true": positive, "sampled": negative.flatten()}
    generated = module.generator.generate(batch.positives(), generator)
    scores = module.hardness_loss.score(generated, module.model.encoder, module.model.scorer)
    by_view = scores_by_view(generated, module.model.scorer)
    levels = module.generator.levels
    for time in dict.fromkeys(level.time for level in levels):
        # several chains may be tapped at the same time: they are one level
        positions = [position for position, level in enumerate(levels) if level.time == time]
        samples[f"level_{time:g}"] = scores.score[positions][:, scores.weight > 0].flatten()
        for view, by_level in by_view.items():
            samples[f"level_{time:g}/{view}"] = by_level[positions][..., generated.present[view]].flatten()
    return {name: score.cpu() for name, score in samples.items() if len(score) > 0}
