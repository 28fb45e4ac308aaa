"""The median with a distribution-free interval, also where some values were never reached.

The interval runs between two order statistics: the number of values below the true median is
binomial(n, 1/2), whatever the distribution.

Source: Thompson, "On confidence ranges for the median and other expectation distributions",
Annals of Mathematical Statistics 7 (1936); as in Conover, "Practical Nonparametric Statistics",
3rd edition (1999), section 3.2. The order statistics are SciPy's ``quantile_test``'s.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate


def median_interval(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Median of ``values`` (n,), in their unit; covers with at least ``level``.

    A value that lies beyond all that was observed (right-censored: an onset that did not come
    before the run ended) is given as inf; it is ranked above all others, which is right as long
    as nothing observed comes later than where an unobserved one was cut off.

    * No interval: ``low`` and ``high`` None. Too few values for ``level`` (fewer than six at 95 %).
    * ``high`` None beside a ``low``: the upper end was not reached, the interval is open above.
      If not even the lower end was reached, both are None.
    * ``value`` inf: the median was not reached.

    The estimator's name says which of these it is.
    """
    sample = np.asarray(values, dtype=np.float64)
    assert sample.ndim == 1 and sample.size >= 1, "a median needs at least one value"
    assert not np.isnan(sample).any() and (sample > -np.inf).all(), "values or inf"
    # The hypothesis of the test does not affect its interval.
    interval = stats.quantile_test(sample, q=0.0, p=0.5).confidence_interval(level)
    low, high = float(interval.low), float(interval.high)
    name = "median with distribution-free order-statistic interval"
    if np.isnan(low):
        name = "median; too few values for a distribution-free interval"
    elif low == np.inf:
        name += "; neither end reached"
    elif high == np.inf:
        name += "; upper end not reached"
    return Estimate(
        value=float(np.median(sample)),
        low=low if np.isfinite(low) else None,
        high=high if np.isfinite(high) else None,
        n=sample.size,
        estimator=name,
        level=level,
    )
