"""How well ranks at a rung predict final ranks: Spearman's correlation with an interval.

Sources: Spearman, "The proof and measurement of association between two things", American
Journal of Psychology 15 (1904); Bonett and Wright, "Sample size requirements for estimating
Pearson, Kendall and Spearman correlations", Psychometrika 65 (2000): Fisher's z of
the correlation r has variance (1 + r^2 / 2) / (n - 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate

#: Fewest pairs for which the variance of Fisher's z exists.
FEWEST = 4


def spearman(
    x: ArrayLike, y: ArrayLike, level: float = LEVEL, *, effective: int | None = None
) -> Estimate:
    """Rank correlation of pairs (n,), (n,), in [-1, 1], ties by mean rank.

    ``effective``, at most n, takes the place of n in the interval, for pairs that are not all
    independent: ranks that were taken within groups of n_i pairs add up to a constant in each
    group, which leaves sum(n_i - 1) + 1, as much as one group with so many free ranks has.

    There is no interval below four (effective) pairs, nor at a correlation of exactly -1 or 1,
    where Fisher's z is infinite and would claim certainty. Where x or y does not vary, or there
    are fewer than two pairs, there are no ranks to compare: the value is NaN, without an interval.
    """
    first, second = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    assert first.ndim == 1 and first.shape == second.shape, "pairs"
    assert np.isfinite(first).all() and np.isfinite(second).all(), "pairs with a gap are left out"
    n = first.size
    free = n if effective is None else effective
    assert free <= n, "no more pairs than there are"
    name = "Spearman's rank correlation, interval by Fisher's z with Bonett and Wright's variance"
    name += "" if free == n else f" at an effective n of {free}"
    value = float("nan")
    if n >= 2 and np.ptp(first) > 0 and np.ptp(second) > 0:
        value = float(stats.spearmanr(first, second).statistic)
    if free < FEWEST or not abs(value) < 1 - 1e-12:
        return Estimate(value=value, low=None, high=None, n=n, estimator=name, level=level)
    error = ((1 + value**2 / 2) / (free - 3)) ** 0.5
    half = float(stats.norm.ppf((1 + level) / 2)) * error
    low, high = np.tanh(np.arctanh(value) + np.array([-half, half]))
    return Estimate(value=value, low=float(low), high=float(high), n=n, estimator=name, level=level)
