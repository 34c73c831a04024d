"""Do the generated negatives do anything? Measured once per epoch, level by level."""

from __future__ import annotations

import logging

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from dhns.generators.generator import GeneratedNegatives
from dhns.generators.levels import HardnessLevel

log = logging.getLogger(__name__)

DEAD_SHARE = 1e-3
"""A level whose gradient is below this share of that of the sampled negatives does nothing."""


class LevelDiagnostics:
    """Score, cosine to the true entity, share of the loss and gradient norm of each level of generated negatives.

    Keys are ``level_0.05/structure/score`` and so on. The gradient is that of the level's negative term with respect to
    the encoded entities of the batch, before the term is weighted by lambda, relative to that of the sampled negatives.
    """

    def __init__(self, levels: tuple[HardnessLevel, ...]) -> None:
        self.levels = levels
        self.report: dict[str, float] = {}
        self._dead: set[float] = set()

    def measure(
        self,
        generated: GeneratedNegatives,
        by_view: dict[str, Tensor],
        terms: Tensor,
        sampled_term: Tensor,
        embeddings: Tensor,
        weight: float,
    ) -> dict[str, float]:
        """The report of one step.

        Args:
            generated: the negatives.
            by_view: their scores, as `scores_by_view` gives them.
            terms: ``(L,)`` negative terms of the levels, with their graph.
            sampled_term: negative term of the sampled negatives, with its graph.
            embeddings: ``(U, D)`` what both are differentiated by.
            weight: lambda, for the share of the loss.
        """
        sampled = _gradient_norm(sampled_term, embeddings)
        total = float((sampled_term + weight * terms.sum()).detach())
        report = {"sampled/gradient": sampled}
        for time in dict.fromkeys(level.time for level in self.levels):
            # several chains may be tapped at the same time: they are one level
            positions = [position for position, level in enumerate(self.levels) if level.time == time]
            name, term = f"level_{time:g}", terms[positions].sum()
            report[f"{name}/loss_share"] = weight * float(term.detach()) / max(total, 1e-30)
            report[f"{name}/gradient"] = _gradient_norm(term, embeddings)
            for view, mean, cosine in _by_view(generated, by_view, positions):
                report[f"{name}/{view}/score"] = mean
                report[f"{name}/{view}/cosine"] = cosine
        self.report = report
        return report

    def warn_if_dead(self, epoch: int) -> None:
        """Say once, per level, that it has no gradient to speak of."""
        for level in self.levels:
            gradient, sampled = self.report[f"level_{level.time:g}/gradient"], self.report["sampled/gradient"]
            if level.weight > 0 and gradient < DEAD_SHARE * sampled and level.time not in self._dead:
                self._dead.add(level.time)
                log.warning(
                    "hardness level %g is dead in epoch %d: its gradient is %.1e, that of the sampled negatives %.1e; "
                    "its negatives are too far from any entity for its margin (standardize them, or raise the margin)",
                    level.time, epoch, gradient, sampled,
                )  # fmt: skip


def _gradient_norm(term: Tensor, embeddings: Tensor) -> float:
    (gradient,) = torch.autograd.grad(term, embeddings, retain_graph=True, allow_unused=True)
    return 0.0 if gradient is None else float(gradient.norm())


def _by_view(
    generated: GeneratedNegatives, by_view: dict[str, Tensor], positions: list[int]
) -> list[tuple[str, float, float]]:
    """View, mean score and mean cosine to the true entity at one level; of views that the step's positives have."""
    rows = []
    for name, mask in generated.present.items():
        if not mask.any():
            continue
        true = torch.stack([generated.positives.tail.views[name], generated.positives.head.views[name]])
        cosine = cosine_similarity(generated.views[name][positions], true.detach(), dim=-1)[..., mask]
        score = by_view[name][positions][..., mask]
        rows.append((name, float(score.mean()), float(cosine.mean())))
    return rows
