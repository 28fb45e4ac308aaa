"""A share with its exact interval, and the chance of at least one such event in n.

Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of
the binomial", Biometrika 26 (1934).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate


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
