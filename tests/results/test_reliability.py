"""Measures of probabilities and thresholds, against values worked out by hand."""

import math

import numpy as np
import pytest

from dhns.results.reliability import balanced_accuracy, best_threshold, reliability

PROBABILITY = np.array([0.1, 0.1, 0.8, 0.8, 1.0])
FACT = np.array([False, True, True, True, True])


def test_measures():
    bins, found = reliability(PROBABILITY, FACT, np.ones(5))
    np.testing.assert_allclose(bins, [[0.1, 0.5, 0.4], [0.8, 1, 0.4], [1, 1, 0.2]])
    assert found["ece"] == pytest.approx(0.4 * 0.4 + 0.2 * 0.4)
    assert found["brier"] == pytest.approx((0.01 + 0.81 + 0.04 + 0.04 + 0) / 5)
    assert found["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.1) + 2 * math.log(0.8)) / 5)


def test_weights_count_as_copies():
    weight = np.array([1, 2, 3, 1, 2])
    copies = np.repeat(np.arange(5), weight)
    weighted = reliability(PROBABILITY, FACT, weight)
    repeated = reliability(PROBABILITY[copies], FACT[copies], np.ones(len(copies)))
    np.testing.assert_allclose(weighted[0], repeated[0])
    assert weighted[1] == pytest.approx(repeated[1])


def test_the_threshold_is_the_best_of_all():
    random = np.random.default_rng(0)
    for _ in range(20):
        fact = np.array([True, False, *(random.random(28) < 0.3)])
        score = np.round(random.normal(size=30) + fact, 1)
        tried = [balanced_accuracy(score >= limit, fact) for limit in [*score, *(score + 0.05)]]
        assert balanced_accuracy(score >= best_threshold(score, fact), fact) == pytest.approx(max(tried))


def test_both_classes_count_half():
    fact = np.array([True] + 9 * [False])
    assert balanced_accuracy(np.zeros(10, dtype=bool), fact) == 0.5
