"""Bootstrap over test pictures: how much a score depends on which pictures were drawn.

The models are held fixed and the pictures resampled, so the interval is about these particular
models on further pictures of the same kind, not about other seeds or studies.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13 (percentile).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.estimators.estimate import LEVEL, Estimate, Floats
from fer_tune.scores import confusion, macro_f1

RESAMPLES = 2000

#: Resamples counted at once; bounds the memory at about this many times the pictures.
_CHUNK = 250


def resampled_macro_f1(
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Floats:
    """Macro-F1 of each run on each resample of the pictures: (n,), (r, n) to (resamples, r).

    All runs see the same resamples, and so do two calls with equally seeded generators.
    """
    runs, n = predicted.shape
    assert true.shape == (n,), "one true class per picture"
    cells = np.arange(runs)[:, None] * classes**2 + true * classes + predicted
    member = np.zeros((n, runs * classes**2), dtype=np.float32)
    member[np.arange(n)[None, :], cells] = 1
    scores = np.empty((resamples, runs))
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        weight = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        counts = (weight.astype(np.float32) @ member).reshape(size, runs, classes, classes)
        scores[start : start + size] = macro_f1(counts)
    return scores


def macro_f1_interval(
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    classes: int,
    resampled: Floats,
    *,
    level: float = LEVEL,
) -> Estimate:
    """Mean macro-F1 of ``r`` runs on ``n`` pictures, with a percentile bootstrap interval.

    Args:
        true: class numbers (n,).
        predicted: class numbers (r, n), one row per run.
        resampled: of :func:`resampled_macro_f1`, (resamples, r).
    """
    value = float(np.mean([macro_f1(confusion(true, row, classes)) for row in predicted]))
    tail = (1 - level) / 2
    low, high = np.quantile(resampled.mean(axis=1), [tail, 1 - tail])
    return Estimate(
        value=value,
        low=float(low),
        high=float(high),
        n=int(true.size),
        estimator="mean macro-F1 of the runs, percentile bootstrap over test pictures",
        level=level,
    )


def paired_difference(
    true: NDArray[np.int64],
    predicted_a: NDArray[np.int64],
    predicted_b: NDArray[np.int64],
    classes: int,
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """Mean macro-F1 of the runs of a, minus that of b, with a paired percentile bootstrap.

    Both see the same resampled pictures, so what makes a picture hard for both cancels. Like every
    interval here it is about these particular models.

    Args:
        true: class numbers (n,).
        predicted_a, predicted_b: class numbers (r, n), one row per run, or (n,) of a single run.
            The arms may differ in how many runs they have.
    """
    a, b = np.atleast_2d(predicted_a), np.atleast_2d(predicted_b)
    both = np.concatenate([a, b])
    observed = np.array([macro_f1(confusion(true, row, classes)) for row in both])
    scores = resampled_macro_f1(true, both, classes, rng, resamples)
    differences = scores[:, : len(a)].mean(axis=1) - scores[:, len(a) :].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return Estimate(
        value=float(observed[: len(a)].mean() - observed[len(a) :].mean()),
        low=float(low),
        high=float(high),
        n=int(true.size),
        estimator="difference of mean macro-F1, paired percentile bootstrap over test pictures",
        level=level,
    )
