"""The Pareto front: the points that no other beats in score without costing more.

Source: the usual definition of dominance, as in Deb et al., "A fast and elitist multiobjective
genetic algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6 (2002), section III.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pareto_front(score: ArrayLike, costs: ArrayLike) -> NDArray[np.bool_]:
    """Which of n points lie on the front, (n,): highest score (n,), lowest of every cost (n, k).

    A point is off the front if another is at least as good in everything and better in
    something; equal points are on or off the front together. A point with a NaN is never on the
    front, and beats nothing.
    """
    gain, price = np.asarray(score, dtype=np.float64), np.asarray(costs, dtype=np.float64)
    assert gain.ndim == 1 and price.ndim == 2, "a score and a row of costs per point"
    assert price.shape[0] == gain.size, "as many rows of costs as scores"
    loss = np.column_stack([-gain, price])
    known: NDArray[np.bool_] = np.logical_not(np.isnan(loss).any(axis=1))
    # [i, j]: whether point i is nowhere worse, or somewhere better, than point j.
    no_worse = (loss[:, None] <= loss[None, :]).all(axis=2)
    better = (loss[:, None] < loss[None, :]).any(axis=2)
    dominates: NDArray[np.bool_] = np.logical_and(no_worse, better)[known]
    front: NDArray[np.bool_] = known & ~dominates.any(axis=0)
    return front
