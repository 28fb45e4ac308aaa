"""Tuning curves: the score of the best of n random trials, as a function of n.

Input is always the final scores (N,), in [0, 1], of trials drawn independently from one search
space and run to the end: a cohort that a sampler steered, or whose trials were stopped, has no
such curve.

Sources: Dodge et al., "Show Your Work", EMNLP 2019 (the V-statistic); Tang et al.,
"Showing Your Work Doesn't Always Work", ACL 2020 (the U-statistic); Lourie, Cho and
He, "Show Your Work with Confidence", NAACL 2024 (the median curve and its band).

======  ======================================================================
symbol  meaning
======  ======================================================================
N       trials in the cohort
n       trials whose best is asked for
F       distribution function of one trial's score; of the best of n it is F^n
======  ======================================================================
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from analysis.estimators.estimate import LEVEL, Floats
from analysis.estimators.tuning.cdf_band import equal_tailed_band


def expected_best_u(values: ArrayLike, ns: ArrayLike) -> Floats:
    """Mean best of n trials drawn from the cohort without replacement: (N,), (k,) to (k,).

    Unbiased for n <= N, where it exists; NaN beyond.
    """
    ordered, sizes = _ordered(values), _sizes(ns)
    ranks, drawn = np.arange(1, ordered.size + 1), np.minimum(sizes, ordered.size)
    # The i-th smallest is the best of n in C(i - 1, n - 1) of C(N, n) draws.
    log_share = _log_choose(ranks - 1, drawn - 1) - _log_choose(ordered.size, drawn)
    expected: Floats = np.exp(log_share) @ ordered
    return np.where(sizes[:, 0] <= ordered.size, expected, np.nan)


def expected_best_v(values: ArrayLike, ns: ArrayLike) -> Floats:
    """Mean best of n trials drawn from the cohort with replacement: (N,), (k,) to (k,).

    Defined for every n, but too low: the more so the nearer n comes to N, and beyond.
    """
    ordered, sizes = _ordered(values), _sizes(ns)
    below = np.arange(ordered.size + 1) / ordered.size
    expected: Floats = np.diff(below**sizes, axis=1) @ ordered
    return expected


def median_best(values: ArrayLike, ns: ArrayLike) -> Floats:
    """Median best of n trials: the 0.5^(1/n) quantile of the cohort; (N,), (k,) to (k,).

    From n = log 0.5 / log(1 - 1/N), about 0.7 N, on it is the cohort's best and cannot rise.
    """
    ordered = _ordered(values)
    ranks = np.arange(1, ordered.size + 1) / ordered.size
    curve: Floats = ordered[np.searchsorted(ranks, _quantile(ns))]
    return curve


def median_band(values: ArrayLike, ns: ArrayLike, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Band of the median curve that holds for every n at once: low (k,) and high (k,), in [0, 1].

    The band of F is inverted at 0.5^(1/n). It is the equal-tailed band of Learned-Miller and
    DeStefano, which holds all of a continuous F with exactly ``level``, and with more where scores
    tie. The curve sees F from its median up and at whole n alone, so it is covered more often
    still: in about 99 % of simulated cohorts at a level of 95 %.
    Where the cohort cannot bound the curve, the band ends at the limits of the score, 0 and 1.
    """
    ordered, quantile = _ordered(values), _quantile(ns)
    assert ordered[0] >= 0 and ordered[-1] <= 1, "scores in [0, 1]"
    least, most = equal_tailed_band(ordered.size, level)
    # Between the j-th and the next value F is at least least[j] and at most most[j + 1].
    low = np.append(0.0, ordered)[np.searchsorted(most, quantile)]
    high = np.append(ordered, 1.0)[np.searchsorted(least, quantile)]
    return low, high


def _ordered(values: ArrayLike) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    assert scores.ndim == 1 and scores.size, "a tuning curve needs at least one trial"
    assert np.isfinite(scores).all(), "trials without a score are left out"
    return np.sort(scores)


def _sizes(ns: ArrayLike) -> NDArray[np.int64]:
    sizes = np.asarray(ns)
    assert sizes.ndim == 1 and (sizes >= 1).all(), "best of one trial or more"
    return sizes.astype(np.int64)[:, None]


def _quantile(ns: ArrayLike) -> Floats:
    quantile: Floats = 0.5 ** (1 / _sizes(ns)[:, 0])
    return quantile


def _log_choose(n: ArrayLike, k: ArrayLike) -> Floats:
    top, part = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(k))
    possible = part <= top
    rest = np.where(possible, top - part, 0)
    log = special.gammaln(top + 1) - special.gammaln(part + 1) - special.gammaln(rest + 1)
    chosen: Floats = np.where(possible, log, -np.inf)
    return chosen
