"""Scores of out-of-fold predictions, with bootstrap intervals over groups of pictures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from fer_tune import scores
from fer_tune.schema.probe import METRICS, ProbeScore

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEVEL = 0.95
DRAWS = 2000
ESTIMATOR = (
    "score of all out-of-fold predictions together; percentile bootstrap over groups of "
    "pictures, the fitted models fixed"
)
#: A probability below it counts as it: a class may be absent from the folds of a fit.
_LEAST = 1e-7
#: Cells of confusion tables that are resampled at once.
_CELLS = 10**7


def point(probabilities: Floats, labels: Ints) -> dict[str, float]:
    """The scores by metric, of probabilities (n, classes) and classes (n,)."""
    classes = probabilities.shape[1]
    counts = scores.confusion(labels, probabilities.argmax(axis=1), classes)
    return {
        "macro_f1": float(scores.macro_f1(counts)),
        "accuracy": float(scores.accuracy(counts)),
        "loss": float(_losses(probabilities, labels).mean()),
    }


def interval(
    probabilities: Floats, labels: Ints, groups: Ints, *, seed: int, draws: int = DRAWS
) -> dict[str, ProbeScore]:
    """The scores by metric, with intervals.

    Whole groups are drawn with replacement, as pictures of one person or near copies of one
    photograph are not independent.

    Args:
        groups: int64 (n,).
    """
    values = point(probabilities, labels)
    drawn = {metric: np.concatenate(parts) for metric, parts in
             _resampled(probabilities, labels, groups, seed, draws).items()}  # fmt: skip
    edges = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    found: dict[str, ProbeScore] = {}
    for metric in METRICS:
        low, high = np.quantile(drawn[metric], edges)
        found[metric] = ProbeScore(value=values[metric], low=float(low), high=float(high))
    return found


def _resampled(
    probabilities: Floats, labels: Ints, groups: Ints, seed: int, draws: int
) -> dict[str, list[Floats]]:
    """Scores of ``draws`` resamples by metric, in parts."""
    n, classes = probabilities.shape
    numbers = np.unique(groups, return_inverse=True)[1]
    total = int(numbers.max()) + 1
    cells = labels * classes + probabilities.argmax(axis=1)
    tables = csr_array((np.ones(n), (numbers, cells)), shape=(total, classes * classes))
    losses = np.bincount(numbers, _losses(probabilities, labels), minlength=total)
    found: dict[str, list[Floats]] = {metric: [] for metric in METRICS}
    for weights in _weights(total, draws, max(1, _CELLS // max(classes**2, total)), seed):
        counts = (weights @ tables).reshape(-1, classes, classes)
        found["macro_f1"].append(scores.macro_f1(counts))
        found["accuracy"].append(scores.accuracy(counts))
        found["loss"].append(weights @ losses / counts.sum(axis=(1, 2)))
    return found


def _weights(total: int, draws: int, at_once: int, seed: int) -> Iterator[Floats]:
    """How often each group is drawn, (k, total) for k resamples at once."""
    rng = np.random.default_rng(seed)
    share = np.full(total, 1 / total)
    for start in range(0, draws, at_once):
        count = min(at_once, draws - start)
        yield rng.multinomial(total, share, size=count).astype(np.float64)


def _losses(probabilities: Floats, labels: Ints) -> Floats:
    true = probabilities[np.arange(len(labels)), labels]
    losses: Floats = -np.log(np.maximum(true, _LEAST))
    return losses
