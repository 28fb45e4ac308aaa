"""The anytime curve: the best score so far against the cost so far.

Descriptive: it follows one search in the order in which its trials ended, so it has no interval and
    says nothing about other searches.

Source: Zilberstein, "Using anytime algorithms in intelligent systems", AI Magazine 17 (1996), on
performance profiles.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analysis.estimators.estimate import Floats


def anytime(cost: ArrayLike, value: ArrayLike) -> tuple[Floats, Floats]:
    """A step per trial: the cost when it ended, and the best score by then, (n,) each.

    Args:
        cost: what each trial took, (n,), in the order in which they ended; finite, not negative.
        value: each trial's best score, (n,); NaN where it has none. Such a trial still costs.

    Returns:
        cumulative cost and best so far, (n,) each; best is NaN until the first score. Between
        two costs the curve is flat: draw it with the step after the point.
    """
    spent, scores = np.asarray(cost, dtype=np.float64), np.asarray(value, dtype=np.float64)
    assert spent.ndim == 1 and spent.shape == scores.shape, "one cost and one score per trial"
    assert np.isfinite(spent).all() and (spent >= 0).all(), "every trial has a cost"
    return np.cumsum(spent), np.fmax.accumulate(scores)
