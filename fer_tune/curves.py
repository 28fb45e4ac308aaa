"""Properties of one learning curve: best epoch, overfit onset, gap, divergence. Pure NumPy.

Epochs count from 1 everywhere; a curve is a sequence of floats whose element ``k`` belongs to
epoch ``k + 1``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Curve = Sequence[float] | NDArray[np.float64]

#: A training loss this many times that of a uniform guess, ln(classes), is an explosion.
EXPLOSION = 4.0


def best_epoch(values: Curve, mode: Literal["max", "min"] = "max") -> int | None:
    """Epoch of the best finite value, the first on ties; None when no value is finite."""
    curve = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(curve)
    if not finite.any():
        return None
    sign = 1.0 if mode == "max" else -1.0
    return int(np.argmax(np.where(finite, sign * curve, -np.inf))) + 1


def smooth(values: Curve, window: int = 3) -> NDArray[np.float64]:
    """Centred moving mean of odd ``window``; at the ends over the part that exists.

    Centred, so that the minimum of a symmetric valley stays where it is: a trailing mean or an
    exponential one would move every onset later.
    """
    assert window >= 1 and window % 2 == 1, f"window must be odd and positive, not {window}"
    curve = np.asarray(values, dtype=np.float64)
    half = window // 2
    total = np.concatenate([[0.0], np.cumsum(curve)])
    first = np.maximum(np.arange(curve.size) - half, 0)
    last = np.minimum(np.arange(curve.size) + half + 1, curve.size)
    smoothed: NDArray[np.float64] = (total[last] - total[first]) / (last - first)
    return smoothed


def overfit_onset(
    train_loss: Curve, val_loss: Curve, *, patience: int = 3, window: int = 3
) -> int | None:
    """Epoch at which the trial starts to overfit, None when it does not.

    The onset is the epoch of the minimum of the smoothed validation loss, if at least
    ``patience`` epochs follow it, every one of the last ``patience`` validation losses lies
    above that minimum, and the smoothed training loss has fallen since. Curves are of equal
    length; one with a non-finite value diverged rather than overfitted and has no onset.
    """
    assert len(train_loss) == len(val_loss), "curves of different length"
    train, val = np.asarray(train_loss, np.float64), np.asarray(val_loss, np.float64)
    if val.size <= patience or not (np.isfinite(train).all() and np.isfinite(val).all()):
        return None
    smoothed = smooth(val, window)
    turn = int(np.argmin(smoothed))
    if turn + patience >= val.size:
        return None
    still_falling = smooth(train, window)[-1] < smooth(train, window)[turn]
    risen = bool((val[-patience:] > smoothed[turn]).all())
    return turn + 1 if risen and still_falling else None


def improves(values: Curve, mode: Literal["max", "min"] = "max", *, patience: int) -> bool:
    """Whether the best value so far is of one of the last ``patience`` epochs.

    An equal value is no improvement. The overfit stopper does not end such a run. Where ``values``
    are the validation losses themselves, none improves after an onset: the last ``patience`` lie
    above a mean of earlier ones.
    """
    best = best_epoch(values, mode)
    return best is not None and len(values) - best < patience


def generalisation_gap(train_loss: Curve, val_loss: Curve, epoch: int) -> float:
    """Validation loss minus training loss at ``epoch``."""
    return float(val_loss[epoch - 1]) - float(train_loss[epoch - 1])


def diverged(train_loss: Curve, val_loss: Curve, classes: int) -> bool:
    """Whether the last epoch's loss is not finite or its training loss exploded.

    Only the training loss can explode: a validation loss far above ln(classes) is what
    overconfident overfitting looks like, and the overfit stopper handles that.
    """
    train, val = float(train_loss[-1]), float(val_loss[-1])
    if not (math.isfinite(train) and math.isfinite(val)):
        return True
    return train > EXPLOSION * math.log(classes)
