"""What turns scores into probabilities, and where it is kept: beside the checkpoint that it was fitted to."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from torch import Tensor

from dhns.config.starting_points import BLEND, to_use
from dhns.errors import InputError
from dhns.files import known_sha256, write_json
from dhns.graph.candidates import Candidates
from dhns.graph.knowledge_graph import KnowledgeGraph

Method = Literal["platt", "isotonic"]
ENDING = ".calibration.json"


@dataclass(frozen=True)
class Platt:
    """A logistic function of the score (Platt, 1999)."""

    slope: float
    intercept: float

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores."""
        logit = self.slope * scores + self.intercept
        probabilities: np.ndarray = np.exp(-np.logaddexp(0, -logit))  # which overflows at no score
        return probabilities

    def require_sound(self) -> None:
        """Raise `ValueError` unless it rises."""
        if not (0 < self.slope < math.inf and math.isfinite(self.intercept)):
            raise ValueError(f"the slope is {self.slope}, the intercept {self.intercept}; the curve has to rise")


@dataclass(frozen=True)
class Isotonic:
    """Any function that never falls, as points to interpolate between (Zadrozny and Elkan, KDD 2002).

    Attributes:
        scores: ascending.
        probabilities: at these scores.
    """

    scores: tuple[float, ...]
    probabilities: tuple[float, ...]

    def __call__(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities of scores; beyond the ends, those there."""
        probabilities: np.ndarray = np.interp(scores, self.scores, self.probabilities)
        return probabilities

    def require_sound(self) -> None:
        """Raise `ValueError` unless it rises, from 0 at least to 1 at most."""
        rising = [0, *self.probabilities, 1]
        if not self.scores or len(self.scores) != len(self.probabilities) or rising != sorted(rising):
            raise ValueError("probabilities have to rise from 0 to 1, one for each score")
        if not all(map(math.isfinite, self.scores)) or list(self.scores) != sorted(self.scores):
            raise ValueError("scores have to rise")


Curve: TypeAlias = Platt | Isotonic
_CURVES: dict[str, Callable[..., Curve]] = {"platt": Platt, "isotonic": Isotonic}


@dataclass(frozen=True)
class Calibration:
    """A map of scores to the probability that a triple is a fact, and thresholds of scores.

    The probability is that of a triple drawn from a mixture: a share of facts, and corrupted triples as they were drawn
    to fit it. Of another mixture it is another number: the odds change with those of the share.

    Attributes:
        method: of the curve.
        curve: scores to probabilities.
        share: of facts in the mixture.
        candidates: what facts were corrupted by.
        threshold: of relations that have none of their own.
        thresholds: scores by key of the relation, from which on a triple is taken for a fact.
        model: what it was fitted to, see `fingerprint_of`.
        report: how well it holds on triples that it was not fitted to.
    """

    method: Method
    curve: Curve
    share: float
    candidates: Candidates
    threshold: float
    thresholds: Mapping[str, float]
    model: str
    report: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, scores: Tensor) -> Tensor:
        """Float64 probabilities of scores, in their shape, on the processor."""
        return torch.from_numpy(self.curve(scores.double().cpu().numpy()))

    def accepted(self, scores: Tensor, relations: Tensor, graph: KnowledgeGraph) -> Tensor:
        """``(n,)`` bool: which scores ``(n,)`` of triples of relations ``(n,)`` reach the threshold."""
        limits = [self.thresholds.get(key, self.threshold) for key in graph.relations.keys]
        return scores.double().cpu() >= torch.tensor(limits, dtype=torch.float64)[relations.cpu()]

    @property
    def meaning(self) -> str:
        """In a sentence, of what the probability is one."""
        drawn = "entities seen on that side of the relation in train" if self.candidates == "seen" else "any entities"
        return (
            f"probability: that of a fact, among triples of which {100 * self.share:g} % are facts and the others are "
            f"corrupted by {drawn} ({self.method}, fitted on validation)"
        )


def calibration_file(run: Path) -> Path:
    """Where the calibration of a run, a checkpoint file or a blend lies, if it has one."""
    found = run / BLEND if (run / BLEND).is_file() else to_use(run)
    return (run if found is None else found).with_suffix(ENDING)


def fingerprint_of(run: Path) -> str:
    """SHA-256 of the checkpoint; of a blend, of its weights and the checkpoints of its members."""
    if not (blend := run / BLEND).is_file():
        return known_sha256(to_use(run) or run)
    members = [run / name for name in json.loads(blend.read_text(encoding="utf-8"))["members"]]
    digests = [known_sha256(file) for file in (blend, *members)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def save_calibration(calibration: Calibration, run: Path) -> Path:
    """Write it beside the checkpoint; returns the file."""
    file = calibration_file(run)
    write_json(file, asdict(calibration))
    return file


def load_calibration(run: Path) -> Calibration | None:
    """That of a run, a checkpoint file or a blend, or None if there is none.

    Raises:
        InputError: the file is damaged, or was made for another checkpoint.
    """
    file = calibration_file(run)
    if not file.is_file():
        return None
    again = f"dhns calibrate checkpoint={run} makes it anew, or remove the file"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        curve = {key: tuple(value) if isinstance(value, list) else value for key, value in content["curve"].items()}
        found = Calibration(**content | {"curve": _CURVES[content["method"]](**curve)})
        _require_sound(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is no readable calibration ({error}); {again}") from None
    if found.model != fingerprint_of(run):
        raise InputError(f"{file} was fitted to another checkpoint than the one that is there now; {again}")
    return found


def _require_sound(calibration: Calibration) -> None:
    """Raise `ValueError` unless it can be used."""
    calibration.curve.require_sound()
    if calibration.candidates not in get_args(Candidates) or not 0 < calibration.share < 1:
        raise ValueError("candidates or share is none")
    if not all(map(math.isfinite, [calibration.threshold, *calibration.thresholds.values()])):
        raise ValueError("a threshold is no number")
