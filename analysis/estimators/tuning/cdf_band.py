"""A simultaneous confidence band of a continuous distribution function, exact in small samples.

The equal-tailed band of Learned-Miller and DeStefano, "A probabilistic upper bound on
differential entropy", IEEE Transactions on Information Theory 54 (2008), as in Lourie, Cho and
He, "Show Your Work with Confidence", NAACL 2024 (arXiv:2311.09480): F at the i-th of
n sorted values is Beta(i, n + 1 - i), so each gets the equal-tailed interval of its own Beta, at
a pointwise level so high that all n hold at once. That level is computed, not simulated:
uniform order statistics are a Poisson process given its total, and such a process is followed
from one limit to the next (Khmaladze and Shinjikashvili, Advances in Applied Probability 33,
2001; Moscovich and Nadler, Statistics and Probability Letters 123, 2017).

======  ==========================================================================
symbol  meaning
======  ==========================================================================
n       sample size
U(i)    i-th smallest of n uniform values; F of the i-th smallest observation
tail    chance of each side of each pointwise interval, times two
======  ==========================================================================
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy import optimize, special

from analysis.estimators.estimate import Floats


def equal_tailed_band(n: int, level: float) -> tuple[Floats, Floats]:
    """Limits low (n,) and high (n,), in [0, 1], that hold every U(i) at once with ``level``.

    With ties, or a distribution that is not continuous, they hold with at least ``level``.
    """
    return _limits(n, pointwise_tail(n, level))


@cache
def pointwise_tail(n: int, level: float) -> float:
    """The ``tail`` at which the n pointwise intervals hold at once with ``level``.

    It lies between that of n independent trials at worst (Bonferroni) and that of one.
    """
    assert n >= 1 and 0 < level < 1, "a band needs a value and a level in (0, 1)"
    if n == 1:
        return 1 - level

    def excess(log_tail: float) -> float:
        return chance_within(*_limits(n, float(np.exp(log_tail)))) - level

    lowest, highest = np.log((1 - level) / n), np.log(1 - level)
    return float(np.exp(optimize.brentq(excess, lowest, highest, xtol=1e-6)))


def chance_within(low: Floats, high: Floats) -> float:
    """P(low_i <= U(i) <= high_i for every i), limits (n,) each, rising.

    The number of values up to time t may neither exceed the low limits passed nor fall short of
    the high limits passed; its distribution is carried from limit to limit.
    """
    n = low.size
    times = np.append(np.sort(np.concatenate([low, high])), 1.0)
    most = np.searchsorted(low, times, side="left")
    least = np.searchsorted(high, times, side="right")
    most[-1] = least[-1] = n
    steps = n * np.diff(times, prepend=0.0)
    counts = np.arange(n + 1)
    log_factorial = special.gammaln(counts + 1)
    chance, first = np.ones(1), 0
    for step, fewest, largest in zip(steps, least, most, strict=True):
        if largest < fewest:
            return 0.0
        more = counts[: largest - first + 1]
        arrivals = np.exp(special.xlogy(more, step) - step - log_factorial[: more.size])
        chance = np.convolve(chance, arrivals)[fewest - first : largest - first + 1]
        first = int(fewest)
    total = np.exp(special.xlogy(n, n) - n - log_factorial[n])
    return float(chance[0] / total)


def _limits(n: int, tail: float) -> tuple[Floats, Floats]:
    i = np.arange(1, n + 1)
    low: Floats = special.betaincinv(i, n + 1 - i, tail / 2)
    high: Floats = special.betainccinv(i, n + 1 - i, tail / 2)
    return low, high
