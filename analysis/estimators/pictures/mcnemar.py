"""McNemar's exact test: do two single models make the same number of errors on these pictures?

It is about two checkpoints and nothing else: other seeds of the same configurations may well differ
in the other direction.

Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
percentages", Psychometrika 12 (1947). Exact: under "no difference" each picture that one model
alone gets right is a fair coin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Counts of pictures by who is right, and the two-sided p-value of "equally many errors"."""

    only_a: int
    only_b: int
    both: int
    neither: int
    p_value: float


def mcnemar(right_a: ArrayLike, right_b: ArrayLike) -> McNemar:
    """Exact test from two boolean arrays (n,): whether each model is right on each picture.

    Models that never disagree have p = 1.
    """
    a, b = np.asarray(right_a), np.asarray(right_b)
    assert a.dtype == b.dtype == np.bool_ and a.ndim == 1, "one truth value per picture"
    assert a.shape == b.shape, "both models on the same pictures"
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    discordant = only_a + only_b
    return McNemar(
        only_a=only_a,
        only_b=only_b,
        both=int((a & b).sum()),
        neither=int((~a & ~b).sum()),
        p_value=float(stats.binomtest(only_a, discordant).pvalue) if discordant else 1.0,
    )
