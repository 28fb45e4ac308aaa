"""Label noise: the handicap of one arm in a control experiment with a known answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.counter_rng import stream, uniforms


def with_label_noise(
    labels: NDArray[np.int64],
    positions: NDArray[np.int64],
    *,
    share: float,
    classes: int,
    seed: int,
) -> NDArray[np.int64]:
    """Labels of which ``share`` are replaced, each by another class, uniformly at random.

    The result for a picture depends only on its position and ``seed``, not on the other pictures. A
    larger share replaces the same labels by the same classes, and more.

    Args:
        labels: true classes of the pictures at ``positions``, shape (n,).
        share: expected share of the labels that are replaced, in [0, 1).
        classes: number of classes.

    Returns:
        A new array, shape (n,).
    """
    u = uniforms(stream("label-noise", seed), positions, 2)
    # With a single class the label stays.
    steps = 1 + (u[:, 1] * (classes - 1)).astype(np.int64)
    wrong = (labels + steps) % classes
    return np.where(u[:, 0] < share, wrong, labels)
