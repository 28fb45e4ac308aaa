"""ASHA in a few lines: the rungs of one study (Li et al. 2020, section 3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Rungs:
    """A trial stops at a rung where its best value so far lies below the quantile of the others.

    Args:
        factor: one trial in this many passes.
    """

    def __init__(self, rungs: tuple[int, ...], factor: int) -> None:
        self.reached: dict[int, list[float]] = {rung: [] for rung in rungs}
        self._factor = factor

    def stopped_at(self, values: NDArray[np.float64], length: int) -> int | None:
        """The epoch at which a trial is stopped, None if it passes every rung it reaches.

        Its values are entered up to there, as the platform does: an audited trial's later ones
        are not.

        Args:
            values: the validation score by epoch.
            length: epochs that the trial would run by itself.
        """
        best = np.fmax.accumulate(values)
        for rung, others in self.reached.items():
            if rung > length or not np.isfinite(values[rung - 1]):
                return None
            value = float(best[rung - 1])
            cutoff = np.percentile(others, 100 * (1 - 1 / self._factor)) if others else -np.inf
            others.append(value)
            if value < cutoff:
                return rung
        return None
