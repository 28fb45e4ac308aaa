"""P(A > B): the probability that a unit of arm A scores higher than a unit of arm B.

Source: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021,
section 4; the estimator is Mann and Whitney's U / (n m), Annals of Mathematical Statistics 18
(1947), with ties counted one half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analysis.estimators.estimate import LEVEL, Estimate, Floats

RESAMPLES = 10_000


def wins(a: Floats, b: Floats) -> Floats:
    """Share of pairs that ``a`` wins, ties one half: (..., n), (..., m) to (...), in [0, 1]."""
    above = (a[..., :, None] > b[..., None, :]).mean(axis=(-2, -1))
    level = (a[..., :, None] == b[..., None, :]).mean(axis=(-2, -1))
    share: Floats = above + level / 2
    return share


def probability_of_superiority(
    a: ArrayLike,
    b: ArrayLike,
    rng: np.random.Generator,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Estimate:
    """P(A > B) from units a (n,) and b (m,), with a percentile bootstrap interval over units.

    Each arm is resampled on its own. A sample of one gives no interval.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.ndim == second.ndim == 1 and first.size and second.size, "two non-empty samples"
    n, m = first.size, second.size
    value = float(wins(first, second))
    name = "Mann-Whitney U / (n m), ties half, with percentile bootstrap interval over units"
    if min(n, m) < 2:
        return Estimate(value=value, low=None, high=None, n=min(n, m), estimator=name, level=level)
    drawn_a = first[rng.integers(n, size=(resamples, n))]
    drawn_b = second[rng.integers(m, size=(resamples, m))]
    tail = (1 - level) / 2
    low, high = np.quantile(wins(drawn_a, drawn_b), [tail, 1 - tail])
    return Estimate(
        value=value, low=float(low), high=float(high), n=min(n, m), estimator=name, level=level
    )
