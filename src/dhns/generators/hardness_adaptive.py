"""NTAT: joint scores of generated negatives and the hardness-adaptive loss (Section 3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dhns.encoders.encoder import EntityEncoder
from dhns.generators.generator import GeneratedNegatives
from dhns.generators.levels import HardnessLevel
from dhns.kernels.constants import constant
from dhns.ranges import NotNegative
from dhns.scorers.scorer import Scorer

Joint = Literal["mean_score", "fused", "separate"]


@dataclass(frozen=True)
class GeneratedScores:
    """Scores of generated negatives, with the scorer's own margin.

    Attributes:
        score: ``(L, K, B)`` what the loss sees: K kinds of corruption (tail, head, perhaps both; times the views when
            they are scored separately).
        weight: ``(K, B)`` 1 where the negative exists, 0 where its view is missing.
    """

    score: Tensor
    weight: Tensor


class HardnessAdaptiveLoss(nn.Module):
    """``L_HA`` of Eq. 13 over all levels, on scores that are higher for truer triples.

    With ``gamma_t = margin_t * gamma`` and score ``s = gamma - E``, the terms of a level are
    ``-log s(s_pos + gamma_t - gamma)`` and ``-w_t log s(-(s_neg + gamma_t - gamma))``; the loss is their mean over
    levels of non-zero weight, corruption kinds and positives.

    Args:
        joint_scoring: ``mean_score`` averages the scores of the views (Eq. 12); ``fused`` fuses the views with the
            encoder's attention and scores once, as the DHNS code does for RotatE and TransE; ``separate`` makes each
            view a negative of its own (no joint scoring).
        corrupt_both: also score triples with both ends generated, as the DHNS code does.
        margin_on_positive: use ``gamma_t`` in the positive term too (Eq. 13); false keeps the full margin, as the code.
        weight_positive: weigh the positive term by ``w_t`` too, as the DHNS code does.
        halved: take half of the sum of the two terms, as the DHNS code does.
        similarity_margin: gamma for scorers without a margin; 0 gives them no margin, as in the DHNS code.
        adaptive: false gives all levels the full margin (the ablation w/o HAL).
    """

    needs_partition = False
    """Whether `terms` needs the softmax that the batch was scored by."""

    def __init__(
        self,
        joint_scoring: Joint = "mean_score",
        corrupt_both: bool = False,
        margin_on_positive: bool = True,
        weight_positive: bool = False,
        halved: bool = False,
        similarity_margin: NotNegative = 0.0,
        adaptive: bool = True,
    ) -> None:
        super().__init__()
        self.joint_scoring = joint_scoring
        self.corrupt_both = corrupt_both
        self.margin_on_positive = margin_on_positive
        self.weight_positive = weight_positive
        self.scale = 0.5 if halved else 1.0
        self.similarity_margin = similarity_margin
        self.adaptive = adaptive

    def score(self, negatives: GeneratedNegatives, encoder: EntityEncoder, scorer: Scorer) -> GeneratedScores:
        """Score generated negatives against the observed, fused ends of their positives."""
        present = torch.stack(list(negatives.present.values())).to(negatives.positives.relation.dtype)
        if self.joint_scoring == "fused":
            # level by level, which takes a part of the memory
            by_level = zip(*(torch.split(view, 1) for view in negatives.views.values()), strict=True)
            views = [dict(zip(negatives.views, level, strict=True)) for level in by_level]
            fused = [encoder.fuse(level, negatives.present) for level in views]
            score = torch.cat(self._kinds(negatives, scorer, fused))
            return GeneratedScores(score, torch.ones_like(score[0]))
        by_view = self._kinds(negatives, scorer, list(negatives.views.values()))
        if self.joint_scoring == "separate":
            return GeneratedScores(torch.cat(by_view, dim=1), present.repeat_interleave(by_view[0].shape[1], dim=0))
        score = (torch.stack(by_view, dim=2) * present).sum(2) / present.sum(0)
        return GeneratedScores(score, torch.ones_like(score[0]))

    def _kinds(self, negatives: GeneratedNegatives, scorer: Scorer, generated: list[Tensor]) -> list[Tensor]:
        """``(L, K, B)`` scores of every kind of corruption, for each of some generated embeddings ``(L, 2, B, D)``."""
        query, relation = _queries(negatives, scorer)
        scores = [match_each(scorer, query, entities) for entities in generated]
        if not self.corrupt_both:
            return scores
        both = [match_each(scorer, scorer.query(e[:, 1], relation[0]), e[:, 0][None])[0] for e in generated]
        return [torch.cat([score, ends[:, None]], dim=1) for score, ends in zip(scores, both, strict=True)]

    def shifts(self, levels: tuple[HardnessLevel, ...], scorer: Scorer, like: Tensor) -> Tensor:
        """``(L,)`` by how much the margin of a level, ``gamma_t``, exceeds the one that scores contain already."""
        gamma = scorer.margin or self.similarity_margin
        fractions = constant((level.margin if self.adaptive else 1.0 for level in levels), like)
        return fractions * gamma - scorer.margin

    def terms(
        self,
        positive: Tensor,
        scores: GeneratedScores,
        levels: tuple[HardnessLevel, ...],
        scorer: Scorer,
        partition: Any = None,
    ) -> tuple[Tensor, Tensor]:
        """The positive and the negative term of every level, ``(L,)`` each, already divided by the number of levels.

        Args:
            positive: ``(B,)`` scores of the positives, with the scorer's own margin; ``(2 B,)`` where each side has its
                own.
            scores: of the generated negatives.
            levels: L hardness levels.
            scorer: supplies gamma.
            partition: ignored here; of losses that need one.
        """
        weight = constant((level.weight for level in levels), positive)
        shift = self.shifts(levels, scorer, positive)
        penalty = softplus(scores.score + shift[:, None, None]) * scores.weight
        negative = weight * penalty.sum((1, 2)) / scores.weight.sum()
        positive_loss = softplus(
            -(positive + (shift[:, None] if self.margin_on_positive else torch.zeros_like(shift)[:, None]))
        )
        counted = weight if self.weight_positive else (weight > 0).to(weight.dtype)
        scale = self.scale / max(1, sum(level.weight > 0 for level in levels))
        return scale * counted * positive_loss.mean(1), scale * negative

    def forward(
        self, positive: Tensor, scores: GeneratedScores, levels: tuple[HardnessLevel, ...], scorer: Scorer
    ) -> Tensor:
        """The sum of all terms."""
        positive_loss, negative_loss = self.terms(positive, scores, levels, scorer)
        return (positive_loss + negative_loss).sum()


@torch.no_grad()
def scores_by_view(negatives: GeneratedNegatives, scorer: Scorer) -> dict[str, Tensor]:
    """``(L, 2, B)`` scores of generated tails and heads in each view alone, for diagnostics."""
    query, _ = _queries(negatives, scorer)
    return {name: match_each(scorer, query, view) for name, view in negatives.views.items()}


def match_each(scorer: Scorer, query: Tensor, candidates: Tensor) -> Tensor:
    """``(L, S, B)`` matches of queries ``(S, B, Q)`` with L candidates of their own each, ``(L, S, B, D)``.

    As candidates are the rows of a table for `Scorer.match_indexed`, no differences or products are kept in memory.
    """
    count = query[..., 0].numel()
    own = torch.arange(len(candidates) * count, device=query.device).view(len(candidates), count).T
    score = scorer.match_indexed(query.flatten(0, -2), candidates.flatten(0, -2), own)
    return score.T.reshape(candidates.shape[:-1])


def _queries(negatives: GeneratedNegatives, scorer: Scorer) -> tuple[Tensor, Tensor]:
    """``(2, B, Q)`` queries of the observed ends for tails and heads, and the relations ``(2, B, R)`` in them."""
    positives = negatives.positives
    observed = torch.stack([positives.head.joint, positives.tail.joint])
    relation = positives.asking(scorer)
    return scorer.query(observed, relation), relation
