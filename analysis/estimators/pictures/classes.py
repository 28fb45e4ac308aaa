"""Differences per class between two arms, corrected for looking at every class.

Sources: Welch, as in ``welch.py``; Holm, as in ``holm.py``; Dunn, "Multiple comparisons among
means", Journal of the American Statistical Association 56 (1961), for the joint intervals.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.estimators.estimate import LEVEL, Estimate
from analysis.estimators.welch import difference_interval


@dataclass(frozen=True, kw_only=True)
class ClassDifference:
    """One class: mean(a) - mean(b) over units.

    Attributes:
        estimate: the difference; ``estimate.level`` is the Bonferroni level of this one interval.
        p_value: of "no difference in this class"; None where there is no interval.
    """

    estimate: Estimate
    p_value: float | None


def class_differences(
    a: ArrayLike, b: ArrayLike, level: float = LEVEL
) -> tuple[ClassDifference, ...]:
    """Welch's difference for each of C classes, from units a (n, C) and b (m, C).

    Intervals are Bonferroni's: each at 1 - (1 - level) / C, so that all C cover at once with at
    least ``level``. Holm's p-values reject more, so that an adjusted p-value may be below
    1 - ``level`` although the interval still covers zero.
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    assert first.ndim == second.ndim == 2, "a row per unit, a column per class"
    assert first.shape[1] == second.shape[1] >= 1, "the same classes in both arms"
    count = first.shape[1]
    each = 1 - (1 - level) / count
    found = [difference_interval(x, y, each) for x, y in zip(first.T, second.T, strict=True)]
    return tuple(
        ClassDifference(
            estimate=replace(
                one.estimate, estimator=f"{one.estimate.estimator}, Bonferroni over {count} classes"
            ),
            p_value=one.p_value,
        )
        for one in found
    )
