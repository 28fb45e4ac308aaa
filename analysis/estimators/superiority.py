"""P(A > B): the probability that a unit of arm A scores higher than a unit of arm B.

Source: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", MLSys 2021,
section 4; the estimator is Mann and Whitney's U / (n m), Annals of Mathematical Statistics 18
(1947), with ties counted one half.

Where one sample lies wholly above the other, every resample does so too and the bootstrap
interval has no width, as if few units could prove certainty. The interval is then that of
Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney statistic.
Part 2", Statistics in Medicine 25 (2006), method 5: all values of the probability that lie within
z standard errors, at that value, of the estimate. The standard error is that of Hanley and McNeil,
"The meaning and use of the area under a ROC curve", Radiology 143 (1982), made symmetric.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, stats

from analysis.estimators.estimate import LEVEL, Estimate, Floats

RESAMPLES = 10_000
#: Pairs compared at once.
_PAIRS = 4_000_000


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

    Each arm is resampled on its own. Where that interval has no width, Newcombe's takes its place
    and ``estimator`` says so. A sample of one gives no interval.
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
    # In parts: all pairs of all resamples at once would fill the memory with many units.
    parts = max(1, resamples * n * m // _PAIRS)
    split = (np.array_split(drawn, parts) for drawn in (drawn_a, drawn_b))
    shares = [wins(one, other) for one, other in zip(*split, strict=True)]
    low, high = np.quantile(np.concatenate(shares), [tail, 1 - tail])
    if low == high:
        low, high = newcombe_interval(value, n, m, level)
        name = (
            "Mann-Whitney U / (n m), ties half, with Newcombe's score interval (method 5), "
            "since the bootstrap interval over units has no width"
        )
    return Estimate(
        value=value, low=float(low), high=float(high), n=min(n, m), estimator=name, level=level
    )


def newcombe_interval(value: float, n: int, m: int, level: float = LEVEL) -> tuple[float, float]:
    """Newcombe's method 5 for an estimate of P(A > B), in [0, 1], from ``n`` and ``m`` units."""
    z = float(stats.norm.ppf((1 + level) / 2))
    return _newcombe_low(value, n, m, z), 1 - _newcombe_low(1 - value, n, m, z)


def _newcombe_low(value: float, n: int, m: int, z: float) -> float:
    if value == 0:
        return 0.0
    extra = (n + m) / 2 - 1

    def excess(theta: float) -> float:
        inner = 1 + extra * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return (theta - value) ** 2 - z**2 * theta * (1 - theta) * inner / (n * m)

    # At 1 both terms vanish: the wanted root is the one below.
    return float(optimize.brentq(excess, 0.0, value * (1 - 1e-9)))
