"""A share with its exact interval, and the chance of at least one such event in n.

Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of
the binomial", Biometrika 26 (1934).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate, Floats


def clopper_pearson(successes: int, trials: int, level: float = LEVEL) -> Estimate:
    """Share of ``successes`` in ``trials`` >= 1, in [0, 1]; covers with at least ``level``."""
    assert 0 <= successes <= trials and trials >= 1, "a share of at least one trial"
    interval = stats.binomtest(successes, trials).proportion_ci(level, method="exact")
    return Estimate(
        value=successes / trials,
        low=float(interval.low),
        high=float(interval.high),
        n=trials,
        estimator="share with Clopper and Pearson's interval",
        level=level,
    )


def clopper_pearson_ends(
    successes: ArrayLike, trials: ArrayLike, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Ends of :func:`clopper_pearson`'s interval for arrays of one shape; NaN without a trial.

    They are quantiles of beta distributions (Brown, Cai and DasGupta, "Interval estimation for a
    binomial proportion", Statistical Science 16 (2001), section 4.2.1).
    """
    hits, of = np.broadcast_arrays(
        np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    )
    assert (hits >= 0).all() and (hits <= of).all(), "shares of their trials"
    tail = (1 - level) / 2
    # Where all trials or none succeed, one of beta's parameters is 0 and it has no quantiles.
    low = np.where(hits > 0, stats.beta.ppf(tail, np.maximum(hits, 1), of - hits + 1), 0.0)
    high = np.where(hits < of, stats.beta.isf(tail, hits + 1, np.maximum(of - hits, 1)), 1.0)
    return np.where(of > 0, low, np.nan), np.where(of > 0, high, np.nan)


def at_least_one(p: float, n: int) -> float:
    """1 - (1 - p)^n: chance of one or more events in ``n`` >= 0 independent trials, in [0, 1]."""
    assert 0 <= p <= 1 and n >= 0, "a probability and a number of trials"
    if p == 1:
        return float(n > 0)
    return float(-np.expm1(n * np.log1p(-p)))


def at_least_one_interval(estimate: Estimate, n: int) -> Estimate:
    """:func:`at_least_one` of a share and of the ends of its interval.

    It rises with the share, so the interval keeps its coverage; ``estimate.n`` is kept too.
    """
    low, high = (None if p is None else at_least_one(p, n) for p in (estimate.low, estimate.high))
    return replace(
        estimate,
        value=at_least_one(estimate.value, n),
        low=low,
        high=high,
        estimator=f"chance of at least one in {n}, from {estimate.estimator}",
    )
