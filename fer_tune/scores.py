"""Accuracy and macro-F1 from labels or from confusion counts. NumPy and SciPy alone.

Everything goes through confusion counts (..., C, C), rows true, columns predicted, so that one
formula serves a run, a sum of runs and ten thousand bootstrap resamples alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def confusion(true: Counts, predicted: Counts, classes: int) -> Counts:
    """Counts (C, C) from class numbers (n,) in 0 .. C-1; rows true, columns predicted."""
    assert true.shape == predicted.shape, "one prediction per picture"
    cells = np.bincount(true * classes + predicted, minlength=classes * classes)
    counts: Counts = cells.reshape(classes, classes)
    return counts


def accuracy(counts: ArrayLike) -> Floats:
    """Share of pictures on the diagonal, in [0, 1]: (..., C, C) to (...); no picture gives 0."""
    table = np.asarray(counts, dtype=np.float64)
    total = table.sum(axis=(-2, -1))
    right = np.trace(table, axis1=-2, axis2=-1)
    return _ratio(right, total)


def class_f1(counts: ArrayLike) -> Floats:
    """F1 of every class, in [0, 1]: (..., C, C) to (..., C).

    F1 = 2 TP / (2 TP + FP + FN). A class neither present nor predicted scores 0, as in
    scikit-learn with ``zero_division=0``.
    """
    table = np.asarray(counts, dtype=np.float64)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return _ratio(2 * hits, table.sum(axis=-1) + table.sum(axis=-2))


def macro_f1(counts: ArrayLike) -> Floats:
    """Unweighted mean of :func:`class_f1` over all C classes: (..., C, C) to (...)."""
    mean: Floats = class_f1(counts).mean(axis=-1)
    return mean


def mean_half_width(sample: Floats, level: float) -> float | None:
    """Half of Student's interval of the mean of ``sample`` (n,); None without any spread.

    A spread of zero says that nothing was varied, not that the mean is known exactly.
    """
    n = sample.size
    if n < 2 or not np.ptp(sample):
        return None
    from scipy import stats  # takes half a second, and processes of trials do not need it

    return float(stats.t.ppf((1 + level) / 2, n - 1) * sample.std(ddof=1) / n**0.5)


def _ratio(part: Floats, whole: Floats) -> Floats:
    ratio: Floats = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
    return ratio
