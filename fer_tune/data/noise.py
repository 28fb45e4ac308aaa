"""Wrong labels on purpose: the handicap of a control experiment whose right answer is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.counter import stream, uniforms


def noised(
    labels: NDArray[np.int64],
    positions: NDArray[np.int64],
    *,
    share: float,
    classes: int,
    seed: int,
) -> NDArray[np.int64]:
    """Labels of which ``share`` are replaced, each by one of the other classes, all as likely.

    What becomes of a picture depends on its position and ``seed`` alone, not on the order or the
    company. A larger share replaces the same labels, by the same classes, and more.

    Args:
        labels: true classes of the pictures at ``positions``, shape (n,).
        share: expected share of the labels that are replaced, in [0, 1).
        classes: number of classes.

    Returns:
        A new array, shape (n,).
    """
    u = uniforms(stream("label-noise", seed), positions, 2)
    # With one class there is no other: the label then stays.
    steps = 1 + (u[:, 1] * (classes - 1)).astype(np.int64)
    wrong = (labels + steps) % classes
    return np.where(u[:, 0] < share, wrong, labels)
