"""Calibration: whether predicted probabilities mean what they say.

Confidence is the probability of the predicted class, the largest of a picture's probabilities.

Sources: Guo et al., "On calibration of modern neural networks", ICML 2017, section 2 (reliability
diagram, expected calibration error, negative log-likelihood); Brier, "Verification of forecasts
expressed in terms of probability", Monthly Weather Review 78 (1950).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.estimators.estimate import Floats

BINS = 15

#: Probabilities are at least this, so that one certain mistake costs 27.6 nats and not infinitely
#: many.
EPSILON = 1e-12

Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """Pictures by confidence, in bins of equal width, each with its upper edge.

    Attributes:
        edges: of the bins, (bins + 1,), from 0 to 1.
        counts: pictures per bin, (bins,).
        confidence: mean confidence per bin, (bins,); NaN in an empty bin.
        accuracy: share of correct predictions per bin, (bins,); NaN in an empty bin.
    """

    edges: Floats
    counts: Ints
    confidence: Floats
    accuracy: Floats


def reliability(probabilities: ArrayLike, true: ArrayLike, bins: int = BINS) -> Reliability:
    """Reliability of probabilities (n, C) against class numbers (n,)."""
    p, labels = _checked(probabilities, true)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1)
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")
    counts = np.bincount(bin_of, minlength=bins)
    return Reliability(
        edges=edges,
        counts=counts,
        confidence=_mean(bin_of, confidence, counts),
        accuracy=_mean(bin_of, right.astype(np.float64), counts),
    )


def expected_calibration_error(
    probabilities: ArrayLike, true: ArrayLike, bins: int = BINS
) -> float:
    """Mean gap of accuracy and confidence over bins, weighted by pictures; in [0, 1].

    It depends on the bins, and is above 0 in a finite sample of a calibrated model too.
    """
    table = reliability(probabilities, true, bins)
    filled = table.counts > 0
    gap = np.abs(table.accuracy - table.confidence)[filled]
    return float(np.average(gap, weights=table.counts[filled]))


def brier(probabilities: ArrayLike, true: ArrayLike) -> float:
    """Mean over pictures of the squared error summed over all classes; in [0, 2], 0 is best.

    Brier's own form. For two classes it is twice the form that looks at one class alone.
    """
    p, labels = _checked(probabilities, true)
    wanted = np.zeros_like(p)
    wanted[np.arange(labels.size), labels] = 1
    return float(((p - wanted) ** 2).sum(axis=1).mean())


def negative_log_likelihood(probabilities: ArrayLike, true: ArrayLike) -> float:
    """Mean of -log of the true class's probability, in nats; in [0, -log EPSILON]."""
    p, labels = _checked(probabilities, true)
    hit = p[np.arange(labels.size), labels]
    # A sum rounded above 1 must not give a likelihood below zero.
    return float(-np.log(np.clip(hit, EPSILON, 1.0)).mean())


def _checked(probabilities: ArrayLike, true: ArrayLike) -> tuple[Floats, Ints]:
    p, labels = np.asarray(probabilities, dtype=np.float64), np.asarray(true, dtype=np.int64)
    assert p.ndim == 2 and labels.shape == p.shape[:1] and labels.size, "one row per picture"
    assert (labels >= 0).all() and (labels < p.shape[1]).all(), "true classes among the columns"
    # Records may hold probabilities in single precision.
    assert np.allclose(p.sum(axis=1), 1, atol=1e-3) and (p >= 0).all(), "each row sums to one"
    return p, labels


def _mean(bin_of: Ints, values: Floats, counts: Ints) -> Floats:
    sums = np.bincount(bin_of, weights=values, minlength=counts.size)
    mean: Floats = np.divide(sums, counts, out=np.full(counts.size, np.nan), where=counts > 0)
    return mean
