"""Holm's and Bonferroni's corrections for several comparisons.

Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
Statistics 6 (1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analysis.estimators.estimate import LEVEL, Floats


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values (m,) of ``p_values`` (m,), in their order, each in [0, 1].

    Rejecting where the adjusted value is at most alpha keeps the chance of any false rejection
    at or below alpha.
    """
    p = np.asarray(p_values, dtype=np.float64)
    assert p.ndim == 1, "one list of p-values"
    order = np.argsort(p, kind="stable")
    steps = np.arange(p.size, 0, -1) * p[order]
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def joint_level(intervals: int) -> float:
    """Level of each of so many intervals at which all cover at once with 95 % (Bonferroni)."""
    return 1 - (1 - LEVEL) / max(intervals, 1)
