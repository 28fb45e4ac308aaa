"""Level 2: made-up answers on single pictures, so that scores come about as they really do.

Every picture is hard or easy for all models, for one configuration, and for one run. A run is
right where the three together stay below the quantile of its expected share, so that this share
of pictures is right on average, and runs of one configuration resemble each other more than runs
of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.verdict_simulation.surface import Floats
from fer_tune.scores import accuracy, confusion, macro_f1

CLASSES = ("angry", "fear", "happy", "neutral", "sad", "surprise")
#: Shares of the classes, about those of the public datasets.
_SHARES = (0.14, 0.14, 0.26, 0.18, 0.16, 0.12)
#: Variance of what makes a picture hard: in common, by configuration, by run.
_COMMON, _CONFIGURATION, _RUN = 0.8, 0.1, 0.1

Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TestSplit:
    """Test pictures of one search: true classes (n,), how hard (n,), what they are taken for (n,).

    ``leaked`` and ``conflicting`` (n,) mark the pictures that are not clean.
    """

    truth: Labels
    hard: Floats
    taken_for: Labels
    leaked: NDArray[np.bool_]
    conflicting: NDArray[np.bool_]

    @classmethod
    def draw(cls, pictures: int, rng: np.random.Generator) -> TestSplit:
        truth = rng.choice(len(CLASSES), size=pictures, p=_SHARES)
        return cls(
            truth=truth,
            hard=rng.standard_normal(pictures),
            taken_for=(truth + rng.integers(1, len(CLASSES), pictures)) % len(CLASSES),
            leaked=rng.uniform(size=pictures) < 0.02,
            conflicting=rng.uniform(size=pictures) < 0.005,
        )

    def taste(self, rng: np.random.Generator) -> Floats:
        """What makes pictures hard for one configuration alone (n,)."""
        return rng.standard_normal(self.truth.size)

    def probabilities(self, share: float, taste: Floats, rng: np.random.Generator) -> Floats:
        """Answers of a run that is right on ``share`` of such pictures: (n, classes)."""
        own = rng.standard_normal(self.truth.size)
        hard = (
            _COMMON**0.5 * self.hard + _CONFIGURATION**0.5 * taste + _RUN**0.5 * own
        ) - stats.norm.ppf(share)
        # Sure where it is far from the edge; the runner-up is what the picture is mistaken for.
        sure = 0.35 + 0.6 * (2 * stats.norm.cdf(np.abs(hard)) - 1)
        answers = np.where(hard < 0, self.truth, self.taken_for)
        second = np.where(hard < 0, self.taken_for, self.truth)
        found = np.repeat((0.4 * (1 - sure) / 4)[:, None], len(CLASSES), axis=1)
        rows = np.arange(self.truth.size)
        found[rows, answers], found[rows, second] = sure, 0.6 * (1 - sure)
        return found

    def scores(self, answers: Labels) -> dict[str, Any]:
        """Columns ``test_*`` of the ``trials`` table."""
        clean = ~(self.leaked | self.conflicting)
        everything = confusion(self.truth, answers, len(CLASSES))
        cleaned = confusion(self.truth[clean], answers[clean], len(CLASSES))
        return {
            "test_macro_f1": float(macro_f1(everything)),
            "test_accuracy": float(accuracy(everything)),
            "test_clean_macro_f1": float(macro_f1(cleaned)),
            "test_clean_accuracy": float(accuracy(cleaned)),
        }


def validation_counts(share: float, pictures: int) -> Labels:
    """Confusion counts (classes, classes) with about ``share`` right in every class."""
    rows = np.rint(np.array(_SHARES) * pictures).astype(np.int64)
    right = np.rint(share * rows).astype(np.int64)
    wrong = (rows - right)[:, None] * np.ones(len(CLASSES)) / (len(CLASSES) - 1)
    np.fill_diagonal(wrong, 0.0)
    # Cumulative rounding keeps every row's sum.
    counts = np.diff(np.rint(np.cumsum(wrong, axis=1)), axis=1, prepend=0.0)
    whole: Labels = counts.astype(np.int64) + np.diag(right)
    return whole
