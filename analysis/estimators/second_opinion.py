"""Second opinions on a difference of means: label permutation and BCa bootstrap, both SciPy's.

They accompany Welch's interval and do not affect the verdict. Neither assumes a normal
distribution; the permutation test assumes that under "no difference" the units of both arms could
be exchanged.

Sources: Pitman, "Significance tests which may be applied to samples from any populations",
Supplement to the Journal of the Royal Statistical Society 4 (1937); Phipson and Smyth,
"Permutation p-values should never be zero", Statistical Applications in Genetics and Molecular
Biology 9 (2010); Efron, "Better bootstrap confidence intervals", Journal of the American
Statistical Association 82 (1987).
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from analysis.estimators.estimate import LEVEL, Estimate, Floats

RESAMPLES = 10_000


def permutation_p_value(
    a: ArrayLike, b: ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES
) -> float | None:
    """Two-sided p-value of mean(a) - mean(b), units (n,) and (m,), over splits of the labels.

    Twice the smaller tail, at most 1. Exact where there are at most ``resamples`` splits; else
    that many are drawn, and the observed split counts as one more. A sample of one gives None,
    as it gives no interval of Welch's.
    """
    first, second = _samples(a, b)
    if min(first.size, second.size) < 2:
        return None
    result = stats.permutation_test(
        (first, second),
        _difference,
        permutation_type="independent",
        vectorized=True,
        n_resamples=resamples,
        rng=rng,
    )
    return float(result.pvalue)


def bca_difference(
    a: ArrayLike,
    b: ArrayLike,
    rng: np.random.Generator,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """mean(a) - mean(b) with a BCa bootstrap interval, each sample (n,), (m,) resampled alone.

    A sample of one, or samples without any spread, give no interval.
    """
    first, second = _samples(a, b)
    n = min(first.size, second.size)
    value = float(first.mean() - second.mean())
    name = "difference of means over units with BCa bootstrap interval"
    low = high = None
    if n >= 2 and (np.ptp(first) > 0 or np.ptp(second) > 0):
        with warnings.catch_warnings(), np.errstate(invalid="ignore"):
            # Where all resamples fall on one side SciPy warns and returns NaN, handled below.
            warnings.simplefilter("ignore", stats.DegenerateDataWarning)
            interval = stats.bootstrap(
                (first, second),
                _difference,
                method="BCa",
                confidence_level=level,
                n_resamples=resamples,
                rng=rng,
            ).confidence_interval
        if np.isfinite([interval.low, interval.high]).all():
            low, high = float(interval.low), float(interval.high)
    return Estimate(value=value, low=low, high=high, n=n, estimator=name, level=level)


def _samples(a: ArrayLike, b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.ndim == second.ndim == 1 and first.size and second.size, "two non-empty samples"
    return first, second


def _difference(a: Floats, b: Floats, axis: int = -1) -> Floats:
    difference: Floats = a.mean(axis=axis) - b.mean(axis=axis)
    return difference
