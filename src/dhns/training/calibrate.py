"""Fitting probabilities and thresholds on validation triples and corrupted ones, and measuring them on others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from dhns.errors import InputError
from dhns.extras import optional
from dhns.graph.candidates import CandidateEntities, Candidates
from dhns.graph.queries import Queries, answers
from dhns.graph.triple_sets import distinct, occur_in
from dhns.progress import progress
from dhns.randomness import stream
from dhns.ranking.evaluation import queries_per_chunk
from dhns.results.reliability import balanced_accuracy, best_threshold, reliability
from dhns.training.calibration import Calibration, Curve, Isotonic, Method, Platt
from dhns.training.ranker import Ranker, ranking

FOLDS = 5
FEWEST = 20
"""Facts, counted once per side, from which on a relation has a threshold of its own."""


class Judged(NamedTuple):
    """Scores of n facts and corrupted ones.

    Attributes:
        score: ``(n,)`` float64.
        fact: ``(n,)`` bool.
        relation: ``(n,)``.
        group: ``(n,)`` which fact each is, or was made of.
        left_out: facts that nothing corrupts, of relations that train lacks or that hold between all candidates.
    """

    score: np.ndarray
    fact: np.ndarray
    relation: np.ndarray
    group: np.ndarray
    left_out: int = 0

    @property
    def facts(self) -> int:
        """How many triples are facts; each is scored once per side."""
        return len(np.unique(self.group))

    def rows(self, index: np.ndarray) -> Judged:
        """Some of them."""
        return Judged(self.score[index], self.fact[index], self.relation[index], self.group[index])

    def weight(self, share: float) -> np.ndarray:
        """``(n,)`` by which facts weigh 1 each, and are this share of all."""
        facts = int(self.fact.sum())
        others = len(self.fact) - facts
        return np.where(self.fact, 1.0, facts / others * (1 - share) / share)


@dataclass(frozen=True)
class Fitted:
    """A calibration, and what it was made of, to be plotted.

    Attributes:
        calibration: to be stored.
        curves: by name, of probabilities on triples that they were not fitted to: mean probability, share of facts and
            weight of each bin, see `dhns.results.reliability.reliability`.
    """

    calibration: Calibration
    curves: dict[str, np.ndarray]


def fit_calibration(
    ranker: Ranker,
    model: str,
    method: Method = "platt",
    share: float = 0.5,
    candidates: Candidates = "seen",
    corrupted: int = 32,
    valid_triples: int | None = 5000,
    seed: int = 0,
    test: bool = False,
) -> Fitted:
    """Fit on the validation split; what is reported of it is cross-fitted within, by triple.

    A fact is corrupted on both sides, by entities that make no triple of train or validation: test is not looked at,
    not even to tell a fact from a corrupted one.

    Args:
        ranker: what scores.
        model: see `dhns.training.calibration.fingerprint_of`.
        method: of the curve.
        share: of facts among the triples that probabilities are meant for.
        candidates: what facts are corrupted by.
        corrupted: triples per fact and side.
        valid_triples: facts at most, chosen at random.
        seed: of that choice, and of corrupted triples.
        test: measure it on the test split too.

    Raises:
        InputError: scikit-learn is not there, an argument is out of its range, there are too few validation triples, or
            scores tell nothing.
    """
    require_scikit_learn()
    if method not in get_args(Method):
        raise InputError(f"method is '{method}'; expected {' or '.join(get_args(Method))}")
    if not 0 < share < 1:
        raise InputError(f"share is {share}; expected that of facts, between 0 and 1")
    if corrupted < 1 or (valid_triples is not None and valid_triples < 2):
        raise InputError(f"corrupted is {corrupted}, valid_triples is {valid_triples}; at least 1 and 2 are needed")
    graph = ranker.graph
    known = graph.triples("train", "valid")
    valid = _judge(ranker, "valid", known, candidates, corrupted, valid_triples, seed)
    curve = fit_curve(method, valid, share)
    if isinstance(curve, Platt) and curve.slope <= 0:
        raise InputError(
            "the model does not score facts above corrupted triples, so there is nothing to calibrate; train it longer"
        )
    threshold, thresholds = _thresholds(valid)
    named = {graph.relations.keys[relation]: limit for relation, limit in thresholds.items()}
    report: dict[str, Any] = {
        "facts": valid.facts,
        "corrupted": int((~valid.fact).sum()),
        "left_out": valid.left_out,
    }
    curves: dict[str, np.ndarray] = {}

    def measure(name: str, judged: Judged, probability: np.ndarray) -> None:
        bins, report[name] = reliability(probability, judged.fact, judged.weight(share))
        curves[name] = bins

    measure("sigmoid of the score", valid, Platt(1.0, 0.0)(valid.score))
    folds = list(_folds(valid))
    for other in ("platt", "isotonic"):
        apart = np.empty_like(valid.score)
        for fitted, held_out in folds:
            apart[held_out] = fit_curve(other, valid.rows(fitted), share)(valid.score[held_out])
        measure(other, valid, apart)
    taken = np.empty_like(valid.fact)
    for fitted, held_out in folds:
        taken[held_out] = _accepted(valid.rows(held_out), *_thresholds(valid.rows(fitted)))
    report["accuracy"] = balanced_accuracy(taken, valid.fact)
    if test:
        judged = _judge(ranker, "test", torch.cat([known, graph.test]), candidates, corrupted, None, seed)
        measure(f"{method}, test", judged, curve(judged.score))
        report["accuracy, test"] = balanced_accuracy(_accepted(judged, threshold, thresholds), judged.fact)
    return Fitted(Calibration(method, curve, share, candidates, threshold, named, model, report), curves)


def require_scikit_learn() -> None:
    """Raise `InputError` where it is not installed."""
    optional("sklearn", "calibration", "calibration", "scikit-learn")


def fit_curve(method: str, judged: Judged, share: float) -> Curve:
    """A curve by the method, facts weighing their share."""
    from sklearn.isotonic import IsotonicRegression
    from sklearn.linear_model import LogisticRegression

    weight = judged.weight(share)
    if method == "isotonic":
        found = IsotonicRegression(y_min=0, y_max=1).fit(judged.score, judged.fact, weight)
        return Isotonic(tuple(found.X_thresholds_.tolist()), tuple(found.y_thresholds_.tolist()))
    # of scores of deviation 1, so that the slight penalty, which keeps the slope finite, is the same for every scorer
    centre, scale = judged.score.mean(), judged.score.std() or 1.0
    fitted = LogisticRegression().fit(((judged.score - centre) / scale)[:, None], judged.fact, weight)
    slope = float(fitted.coef_[0, 0]) / scale
    return Platt(slope, float(fitted.intercept_[0]) - slope * centre)


@torch.no_grad()
def _judge(
    ranker: Ranker,
    split: str,
    known: Tensor,
    candidates: Candidates,
    corrupted: int,
    most: int | None,
    seed: int,
) -> Judged:
    """Scores of the facts of a split and of corrupted ones that are not among the ``known``.

    Raises:
        InputError: fewer than two facts have corrupted ones.
    """
    graph = ranker.graph
    facts = distinct(graph.split(split))
    rng = stream(seed, f"calibration/{split}")
    if most is not None and most < len(facts):
        facts = facts[torch.randperm(len(facts), generator=rng)[:most].sort().values]
    source = CandidateEntities(graph, candidates)
    none = torch.empty(0, dtype=torch.int64)
    parts: list[tuple[Tensor, ...]] = [(none.double(), none.bool(), none, none)]
    with ranking(ranker), progress(f"Scoring {split}", 2 * len(facts)) as advance:
        for index in torch.split(torch.arange(len(facts)), queries_per_chunk(graph.num_entities)):
            for side in (False, True):
                triples = facts[index]
                head_side = torch.full_like(index, side, dtype=torch.bool)
                queries, answer = Queries.of(triples, head_side), answers(triples, head_side)
                drawn, usable = source.draw(queries, corrupted, rng)
                made = Queries(*(part.repeat_interleave(corrupted) for part in queries)).triples(drawn.flatten())
                usable = usable[:, None] & ~occur_in(made, known, graph).view_as(drawn)
                asked = Queries(*(part.to(ranker.device) for part in queries))
                column = torch.cat([answer[:, None], drawn], dim=1)
                scores = ranker.score_all(asked).float().gather(1, column.to(ranker.device)).cpu()
                # a fact without corrupted ones tells nothing of their difference
                kept = torch.cat([usable.any(1, keepdim=True), usable], dim=1)
                row, place = kept.nonzero(as_tuple=True)
                parts.append((scores[row, place].double(), place == 0, queries.relation[row], index[row]))
                advance(len(index))
    score, fact, relation, group = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    used = len(np.unique(group))
    if used < 2:
        raise InputError(
            f"{graph.name} has {used} {split} triples that can be corrupted; at least 2 are needed to calibrate on"
        )
    judged = Judged(score, fact, relation, group, len(facts) - used)
    if not np.isfinite(judged.score).all():
        raise InputError("a score is NaN or infinite; the parameters have diverged: calibrate an earlier checkpoint")
    return judged


def _folds(judged: Judged) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows to fit on and rows to measure on; a fact and what was made of it are never parted."""
    from sklearn.model_selection import GroupKFold

    yield from GroupKFold(min(FOLDS, judged.facts)).split(judged.score, groups=judged.group)


def _thresholds(judged: Judged) -> tuple[float, dict[int, float]]:
    """The score that parts facts from corrupted triples best, and those of the relations that have facts enough."""
    overall = best_threshold(judged.score, judged.fact)
    own: dict[int, float] = {}
    for relation in np.unique(judged.relation).tolist():
        rows = judged.relation == relation
        if judged.fact[rows].sum() >= FEWEST:
            own[relation] = best_threshold(judged.score[rows], judged.fact[rows])
    return overall, own


def _accepted(judged: Judged, overall: float, own: dict[int, float]) -> np.ndarray:
    limits = np.full(int(judged.relation.max()) + 1, overall)
    for relation, limit in own.items():
        if relation < len(limits):
            limits[relation] = limit
    accepted: np.ndarray = judged.score >= limits[judged.relation]
    return accepted
