"""A number with its interval and its estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Coverage that every interval of the report aims at.
LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A point estimate with its interval.

    Attributes:
        value: the estimate.
        low, high: ends of the interval, None where the data allow none.
        level: nominal coverage of the interval, in (0, 1).
        n: how many independent units went in; of two samples, the smaller one.
        estimator: how the value and the interval were computed, in words.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    estimator: str
    level: float = LEVEL

    def covers(self, value: float) -> bool | None:
        """Whether ``value`` lies in the closed interval; None when there is no interval."""
        if self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high

    def within(self, bound: float) -> bool | None:
        """Whether the whole interval lies in [-bound, bound]; None when there is no interval."""
        if self.low is None or self.high is None:
            return None
        return -bound <= self.low and self.high <= bound
