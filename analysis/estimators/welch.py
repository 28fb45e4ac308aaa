"""Student's interval of a mean and Welch's interval of a difference of means, over units.

A unit is whatever was drawn independently: a replicate study or, with one study per arm, a seed.

Source: Welch, "The generalization of 'Student's' problem when several different population
variances are involved", Biometrika 34 (1947); degrees of freedom after Welch and Satterthwaite.

======  ==================================================================
symbol  meaning
======  ==================================================================
n, m    units of sample a and of sample b
s2      unbiased sample variance (``ddof=1``)
v       variance of a mean, s2 / n
nu      degrees of freedom
======  ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate
from fer_tune.scores import mean_half_width


@dataclass(frozen=True, kw_only=True)
class Difference:
    """mean(a) - mean(b), its interval, and the two-sided p-value of "no difference".

    ``p_value`` is None where there is no interval, ``nu`` then too.
    """

    estimate: Estimate
    p_value: float | None
    nu: float | None


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Mean of ``values`` (n,) with Student's t interval.

    One value, or several without any spread, give no interval, as in :func:`difference_interval`.
    """
    sample = np.asarray(values, dtype=np.float64)
    assert sample.ndim == 1 and sample.size >= 1, "a mean needs at least one unit"
    n, mean = sample.size, float(sample.mean())
    name = "mean over units with Student's t interval"
    half = mean_half_width(sample, level)
    if half is None:
        return Estimate(value=mean, low=None, high=None, n=n, estimator=name, level=level)
    return Estimate(value=mean, low=mean - half, high=mean + half, n=n, estimator=name, level=level)


def difference_interval(a: ArrayLike, b: ArrayLike, level: float = LEVEL) -> Difference:
    """mean(a) - mean(b) of two independent samples, shapes (n,) and (m,), in their own unit.

    A sample of one, or two samples without any spread, give no interval: a spread of zero says
    that nothing was varied, not that the difference is known exactly.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.ndim == second.ndim == 1 and first.size and second.size, "two non-empty samples"
    n, m = first.size, second.size
    value = float(first.mean() - second.mean())
    name = "difference of means over units with Welch's t interval"
    none = Estimate(value=value, low=None, high=None, n=min(n, m), estimator=name, level=level)
    # Equal values have a variance above zero where their mean is rounded.
    if min(n, m) < 2 or not (np.ptp(first) or np.ptp(second)):
        return Difference(estimate=none, p_value=None, nu=None)
    v_a, v_b = float(first.var(ddof=1)) / n, float(second.var(ddof=1)) / m
    nu = (v_a + v_b) ** 2 / (v_a**2 / (n - 1) + v_b**2 / (m - 1))
    error = (v_a + v_b) ** 0.5
    half = float(stats.t.ppf((1 + level) / 2, nu)) * error
    p_value = 2 * float(stats.t.sf(abs(value) / error, nu))
    interval = Estimate(
        value=value, low=value - half, high=value + half, n=min(n, m), estimator=name, level=level
    )
    return Difference(estimate=interval, p_value=p_value, nu=nu)
