"""Made-up answers on a made-up test split: probabilities with a macro-F1 that is given.

Every picture has a difficulty that all models share, in part; every arm has one of its own as
well, and every run. So runs agree on most pictures, those of one arm on more. Recorded scores come
from scikit-learn, so that the analysis is checked against a second implementation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fake_curves import CONFUSED
from fake_plan import CLASSES, Plan
from fake_rows import Row, who
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from fer_tune import scores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: How much harder a class is than the average one, in standard deviations of difficulty.
_HARDNESS = np.array([0.1, 0.4, -0.5, 0.0, 0.2, -0.25])
_SHARES = [0.14, 0.14, 0.26, 0.18, 0.16, 0.12]
#: Parts of a picture's difficulty: shared by all models, by the runs of an arm, of one run alone.
_SHARED, _ARM, _RUN = 0.8, 0.35, 0.49
#: Chance that a run confuses a picture with the class that most runs confuse it with.
_HABIT = 0.75
#: How far a wrong answer is ahead of the truth, by how far a right one would be ahead.
_DOUBT = 0.5


@dataclass(frozen=True, kw_only=True)
class Split:
    """The test pictures: arrays (n,), in the order of their positions.

    Attributes:
        truth, rival: the true class, and the one it is mostly taken for.
        hard: difficulty shared by all models, in standard deviations.
    """

    truth: NDArray[np.int64]
    rival: NDArray[np.int64]
    hard: Floats
    leaked: Bools
    conflicting: Bools
    blank: Bools
    pictures: list[str]

    @property
    def clean(self) -> Bools:
        return ~(self.leaked | self.conflicting)

    @property
    def size(self) -> int:
        return int(self.truth.size)


def split_of(plan: Plan, rng: np.random.Generator) -> Split:
    n = plan.pictures
    position = np.arange(n)
    truth = rng.choice(len(CLASSES), size=n, p=_SHARES).astype(np.int64)
    leaked = position % max(1, round(1 / plan.leaked_share)) == 0
    conflicting, blank = position % 200 == 1, position % 450 == 7
    hard = _SHARED * (rng.normal(size=n) + _HARDNESS[truth])
    if plan.leaks == "keep":
        hard[leaked] -= 3.0  # seen in training, so known by heart
    hard[conflicting] += 1.5
    hard[blank] = 0.5
    return Split(
        truth=truth,
        rival=_confuse(truth, rng),
        hard=hard,
        leaked=leaked,
        conflicting=conflicting,
        blank=blank,
        pictures=[hashlib.sha256(f"{plan.seed}/{i}".encode()).hexdigest() for i in range(n)],
    )


def _confuse(truth: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    edges = np.cumsum(CONFUSED, axis=1)[truth]
    drawn = (rng.random((truth.size, 1)) >= edges).sum(axis=1)
    return np.minimum(drawn, len(CLASSES) - 1).astype(np.int64)


def arm_difficulty(split: Split, rng: np.random.Generator) -> Floats:
    """What one arm finds hard beyond what all do, (n,): single pictures, and classes a little."""
    by_class = rng.normal(0, 0.12, len(CLASSES))
    return _ARM * rng.normal(size=split.size) + by_class[split.truth]


def answer(
    split: Split, own: Floats, target: float, sharpness: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Probabilities (n, C) of one run.

    Args:
        own: difficulty to this arm alone, (n,).
        target: macro-F1 over all pictures, met to within a picture.
        sharpness: multiplies the logits at which the mean confidence is the accuracy.
    """
    habit = rng.random(split.size) < _HABIT
    rival = np.where(habit, split.rival, _confuse(split.truth, rng))
    ease = -(split.hard + own + _RUN * rng.normal(size=split.size))
    right = _how_many_right(split.truth, rival, ease, target)
    # Half-way between the last that is right and the first that is wrong.
    ordered = np.concatenate([[np.inf], np.sort(ease)[::-1], [-np.inf]])
    around = ordered[right : right + 2]
    margin = ease - around[np.isfinite(around)].mean()
    logits = _logits(split, rival, np.where(margin < 0, _DOUBT * margin, margin), rng)
    return _softmax(sharpness * _calibrating(logits, right / split.size) * logits)


def _how_many_right(
    truth: NDArray[np.int64], rival: NDArray[np.int64], ease: Floats, target: float
) -> int:
    """How many of the easiest pictures must be right for a macro-F1 nearest to ``target``."""
    order = np.argsort(-ease, kind="stable")

    def reached(right: int) -> float:
        predicted = rival.copy()
        predicted[order[:right]] = truth[order[:right]]
        return float(scores.macro_f1(scores.confusion(truth, predicted, len(CLASSES))))

    low, high = 0, truth.size
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if reached(middle) < target else (low, middle)
    return min((low, high), key=lambda right: abs(reached(right) - target))


def _logits(
    split: Split, rival: NDArray[np.int64], margin: Floats, rng: np.random.Generator
) -> Floats:
    """Logits (n, C): the truth's is ``margin`` above its rival's, the others' are lower."""
    # Closer than single precision tells apart would leave the answer to the order of classes.
    margin = np.where(np.abs(margin) < 1e-3, np.where(margin < 0, -1e-3, 1e-3), margin)
    n, row = split.size, np.arange(split.size)
    logits = np.minimum(margin, 0.0)[:, None] - 0.4 - rng.exponential(0.8, (n, len(CLASSES)))
    logits[row, rival] = 0.0
    logits[row, split.truth] = margin
    return logits


def _calibrating(logits: Floats, accuracy: float) -> float:
    """The factor of ``logits`` at which the mean confidence is ``accuracy`` (Guo et al. 2017)."""
    low, high = 0.02, 50.0
    for _ in range(20):
        middle = (low * high) ** 0.5
        confidence = float(_softmax(middle * logits).max(axis=1).mean())
        low, high = (middle, high) if confidence < accuracy else (low, middle)
    return high


def _softmax(logits: Floats) -> NDArray[np.float32]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


def majority(split: Split, trained_on: NDArray[np.int64]) -> NDArray[np.float32]:
    """The class frequencies of training for every picture, (n, C)."""
    frequency = (trained_on / trained_on.sum()).astype(np.float32)
    return np.tile(frequency, (split.size, 1))


def score_columns(split: Split, probabilities: NDArray[np.float32]) -> dict[str, float]:
    """The ``test_*`` columns of ``trials``, by scikit-learn."""
    predicted = probabilities.argmax(axis=1)
    columns = {}
    for name, kept in (("test", np.full(split.size, True)), ("test_clean", split.clean)):
        truth, found = split.truth[kept], predicted[kept]
        columns[f"{name}_macro_f1"] = float(
            f1_score(truth, found, labels=range(len(CLASSES)), average="macro", zero_division=0)
        )
        columns[f"{name}_accuracy"] = float(accuracy_score(truth, found))
    return columns


def counts(
    split: Split, probabilities: NDArray[np.float32], kept: Bools | None = None
) -> NDArray[np.int64]:
    """Confusion counts (C, C) over the pictures ``kept``, all by default."""
    kept = np.full(split.size, True) if kept is None else kept
    predicted = probabilities.argmax(axis=1).astype(np.int64)
    return scores.confusion(split.truth[kept], predicted[kept], len(CLASSES))


def prediction_rows(
    run: Mapping[str, Any], split: Split, probabilities: NDArray[np.float32]
) -> list[Row]:
    own = {**who(run), "seed": run["seed"], "split": "test"}
    predicted = probabilities.argmax(axis=1).tolist()
    columns = zip(
        split.pictures,
        split.truth.tolist(),
        predicted,
        probabilities.tolist(),
        split.leaked.tolist(),
        split.conflicting.tolist(),
        split.blank.tolist(),
        strict=True,
    )
    return [
        {
            **own,
            "picture": picture,
            "position": position,
            "true_class": CLASSES[true],
            "predicted_class": CLASSES[found],
            "probabilities": shares,
            "leaked": leaked,
            "conflicting": conflicting,
            "blank": blank,
        }
        for position, (picture, true, found, shares, leaked, conflicting, blank) in enumerate(
            columns
        )
    ]
