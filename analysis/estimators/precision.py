"""How many units give an interval of a wanted width.

Half the smallest effect of interest is the half-width that always settles a comparison: an
interval that narrow either excludes zero or lies wholly within plus or minus the smallest effect.

Source: Welch's half-width for two samples of n units and one spread s,
t(1 - alpha/2; 2n - 2) * s * sqrt(2 / n).
"""

from __future__ import annotations

from scipy import stats

from analysis.estimators.estimate import LEVEL

#: More units than this are not worth proposing.
LARGEST = 1000


def half_width(n: int, spread: float, level: float = LEVEL) -> float:
    """Half-width, in the unit of ``spread``, with ``n`` >= 2 units per arm."""
    assert n >= 2 and spread >= 0, "a half-width needs two units and a spread"
    return float(stats.t.ppf((1 + level) / 2, 2 * n - 2)) * spread * float((2 / n) ** 0.5)


def units_for(target: float, spread: float, level: float = LEVEL) -> int | None:
    """Fewest units per arm whose half-width is at most ``target``; None above LARGEST.

    The half-width falls with n, so a bisection finds the first n.
    """
    if half_width(LARGEST, spread, level) > target:
        return None
    low, high = 2, LARGEST
    while low < high:
        middle = (low + high) // 2
        if half_width(middle, spread, level) <= target:
            high = middle
        else:
            low = middle + 1
    return low
