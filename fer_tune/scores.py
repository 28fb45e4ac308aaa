"""Classification scores from confusion counts. Pure NumPy, shared by training and analysis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def confusion(true: NDArray[np.int64], predicted: NDArray[np.int64], classes: int) -> Counts:
    """Counts (classes, classes): row = true class, column = predicted class."""
    cells = np.bincount(true * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def accuracy(counts: Counts) -> float:
    """Share of pictures on the diagonal, in [0, 1]; NaN without pictures."""
    total = int(counts.sum())
    return float(np.trace(counts)) / total if total else float("nan")


def class_f1(counts: Counts) -> NDArray[np.float64]:
    """F1 per class, in [0, 1]; 0 for a class that is neither present nor predicted."""
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.asarray(2.0 * np.diag(counts) / np.maximum(both, 1), dtype=np.float64)


def macro_f1(counts: Counts) -> float:
    """Unweighted mean of the classes' F1, in [0, 1] (as scikit-learn with zero_division=0)."""
    return float(class_f1(counts).mean())
