"""Groups of arms without significant differences: the bars of a critical-difference diagram.

Source: Demsar, "Statistical comparisons of classifiers over multiple data sets", Journal of
Machine Learning Research 7 (2006), figure 1; here with pairwise tests in place
of Nemenyi's one critical difference, as in Benavoli, Corani and Mangili, ibid. 17 (2016).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def cliques(order: Sequence[int], apart: ArrayLike) -> tuple[tuple[int, ...], ...]:
    """Maximal runs of two or more neighbours in ``order`` without a significant difference.

    Args:
        order: arm numbers by descending mean, each of 0 .. k-1 once.
        apart: (k, k), symmetric: whether arms i and j differ significantly.

    Returns:
        arm numbers of each run, in ``order``; an arm that differs from both its neighbours is in
        none, one may be in several. No run lies within another.
    """
    different = np.asarray(apart, dtype=np.bool_)
    assert sorted(order) == list(range(len(order))), "every arm once"
    assert different.shape == (len(order),) * 2, "every pair of arms"
    assert (different == different.T).all(), "a pair differs both ways or not at all"
    runs: list[tuple[int, ...]] = []
    reach = 0
    for start, arm in enumerate(order):
        end = start + 1
        while end < len(order) and not different[order[end], list(order[start:end])].any():
            end += 1
        # A run that ends where an earlier one did lies within it.
        if end > reach and end - start >= 2:
            runs.append(tuple([arm, *order[start + 1 : end]]))
        reach = max(reach, end)
    return tuple(runs)
