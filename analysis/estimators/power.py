"""How many units a two-sample t test needs to find an effect of a given size.

Source: Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd edition (1988),
chapter 2; under an effect the t statistic of two samples of n units and one spread s is
noncentral t with 2n - 2 degrees of freedom and noncentrality effect / s * sqrt(n / 2), and its
square noncentral F, which counts both sides at once.
"""

from __future__ import annotations

from scipy import stats

from analysis.estimators.estimate import LEVEL

POWER = 0.8

#: More units than this are not worth proposing.
LARGEST = 1000

#: Two units are certain to find an effect of more spreads than this; far beyond it, SciPy's
#: noncentral F gives NaN.
_CERTAIN = 100.0


def t_test_power(n: int, effect: float, spread: float, level: float = LEVEL) -> float:
    """Chance that a two-sided t test at 1 - ``level`` rejects, ``n`` >= 2 units per arm.

    ``effect`` and ``spread`` > 0 in one unit. A rejection on the wrong side counts, as it does
    in the test; at an effect of zero the chance is 1 - ``level``.
    """
    assert n >= 2 and spread > 0, "a test needs two units and a spread"
    freedom = 2 * n - 2
    shift = min(abs(effect) / spread, _CERTAIN) * (n / 2) ** 0.5
    limit = float(stats.t.ppf((1 + level) / 2, freedom))
    # Its survival function is wrong at a noncentrality of zero, its distribution function is not.
    return 1 - float(stats.ncf.cdf(limit**2, 1, freedom, shift**2))


def units_for_power(
    effect: float, spread: float, level: float = LEVEL, power: float = POWER
) -> int | None:
    """Fewest units per arm that find ``effect`` with chance ``power``; None above LARGEST.

    Without any spread two units find every effect but zero, which nothing finds.
    """
    assert spread >= 0 and 0 < power < 1, "a spread and a power in (0, 1)"
    if effect == 0:
        return None
    if spread == 0:
        return 2
    if t_test_power(LARGEST, effect, spread, level) < power:
        return None
    low, high = 2, LARGEST
    while low < high:
        middle = (low + high) // 2
        if t_test_power(middle, effect, spread, level) >= power:
            high = middle
        else:
            low = middle + 1
    return low
