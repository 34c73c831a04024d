"""How well probabilities and thresholds hold on triples that they were not fitted to."""

from __future__ import annotations

import numpy as np

BINS = 10


def reliability(probability: np.ndarray, fact: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, dict[str, float]]:
    """Bins of equal width, and what is made of them.

    Args:
        probability: ``(n,)``.
        fact: ``(n,)`` bool.
        weight: ``(n,)`` of each.

    Returns:
        ``(bins, 3)`` mean probability, share of facts, and share of the weight, of the bins that hold any; and ``ece``,
        the expected calibration error (Naeini et al., AAAI 2015), the mean distance of the first two; ``brier``, the
        mean square of probability less fact; ``log_loss``, the mean negative log-likelihood, in nats.
    """
    weight = weight / weight.sum()
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    total, predicted, observed = (
        np.bincount(place, weights=value, minlength=BINS) for value in (weight, weight * probability, weight * fact)
    )
    held = total > 0
    bins = np.stack([predicted[held] / total[held], observed[held] / total[held], total[held]], axis=1)
    likelihood = np.where(fact, probability, 1 - probability).clip(np.finfo(float).eps)
    return bins, {
        "ece": float((np.abs(bins[:, 0] - bins[:, 1]) * bins[:, 2]).sum()),
        "brier": float((weight * (probability - fact) ** 2).sum()),
        "log_loss": float(-(weight * np.log(likelihood)).sum()),
    }


def best_threshold(score: np.ndarray, fact: np.ndarray) -> float:
    """The score from which on to accept, of the best `balanced_accuracy`: halfway between two scores, or the least."""
    levels, level = np.unique(score, return_inverse=True)
    facts, others = (np.bincount(level, weights=mask, minlength=len(levels)) for mask in (fact, ~fact))
    # accepted from each level on: all of it and what is above
    accepted = facts[::-1].cumsum()[::-1] / facts.sum()
    refused = 1 - others[::-1].cumsum()[::-1] / others.sum()
    best = int((accepted + refused).argmax())
    return float(levels[0] if best == 0 else (levels[best - 1] + levels[best]) / 2)


def balanced_accuracy(accepted: np.ndarray, fact: np.ndarray) -> float:
    """Share of right decisions where half of the triples are facts."""
    return float((accepted[fact].mean() + (~accepted[~fact]).mean()) / 2)
