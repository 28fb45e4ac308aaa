"""How a made-up configuration would train: a response surface, then a learning curve on it.

The head's learning rate and the unfreeze depth matter much, crop size and augmentation somewhat,
label smoothing little and dropout next to nothing. Deeper tails learn faster and overfit earlier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_tune import scores

Floats = NDArray[np.float64]

#: Pictures per class of the validation split, in the order of ``CLASSES``.
VALIDATION = np.array([120, 120, 220, 150, 138, 102])
#: How much easier a class is than the average one, as a difference of recall.
_EASE = np.array([-0.03, -0.13, 0.16, 0.0, -0.06, 0.06])
#: Where wrong answers go, rows true classes.
CONFUSED = np.array(
    [
        [0.00, 0.26, 0.09, 0.27, 0.32, 0.06],
        [0.21, 0.00, 0.07, 0.16, 0.29, 0.27],
        [0.15, 0.11, 0.00, 0.41, 0.16, 0.17],
        [0.19, 0.14, 0.15, 0.00, 0.44, 0.08],
        [0.25, 0.24, 0.10, 0.36, 0.00, 0.05],
        [0.10, 0.43, 0.20, 0.16, 0.11, 0.00],
    ]
)
_BY_DEPTH = (-0.09, -0.04, -0.014, 0.0, -0.025)
_TURN_BY_DEPTH = (19.0, 14.5, 11.5, 8.5, 6.0)
_BY_CROP = {48: -0.02, 64: -0.008, 96: 0.0, 128: 0.003}
_BY_POLICY = {"plain": -0.012, "moderate": 0.0, "strong": -0.004}
#: Decades of the head's learning rate from the best one at which the loss of score levels out.
_FAR = 1.2
_STEEP = 0.1
#: log10 of the best head learning rate, and of the upper end of its domain.
_BEST, _END = -2.9, -2.0
#: What arms at their limit lose per decade below that end, and at most.
_SLOPE, _MOST = 0.35, 0.3


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What every epoch of one trial measured; arrays (epochs,), counts (epochs, C, C)."""

    train_loss: Floats
    train_accuracy: Floats
    train_macro_f1: Floats
    val_loss: Floats
    val_accuracy: Floats
    val_macro_f1: Floats
    counts: NDArray[np.int64]

    def cut(self, length: int) -> Curve:
        return Curve(**{name: values[:length] for name, values in vars(self).items()})


def quality(config: Mapping[str, Any], *, at_limit: bool) -> float:
    """Score lost by ``config`` against the best one of the domain: 0 or less, about."""
    rate = math.log10(config["lr_head"])
    best = _BEST + (0.6 if config["optimizer"] == "sgd" else 0.0)
    depth = config["unfreeze_depth"]
    backbone_rate = abs(math.log10(config["lr_backbone"]) + 4.0)
    return (
        (-min(_SLOPE * (_END - rate), _MOST) if at_limit else _bowl(rate - best))
        + _BY_DEPTH[depth]
        - 0.012 * depth / 4 * backbone_rate**2
        + _BY_CROP[config["crop_size"]]
        + _BY_POLICY[config["augment_policy"]]
        - 0.2 * (config["label_smoothing"] - 0.08) ** 2
        - 0.004 * (config["dropout"] - 0.2) ** 2
    )


def _bowl(decades: float) -> float:
    return -_STEEP * min(abs(decades), _FAR) ** 2


def draw_curve(
    config: Mapping[str, Any], height: float, epochs: int, rng: np.random.Generator
) -> Curve:
    """A learning curve of ``config`` over all ``epochs``.

    Args:
        height: share of validation pictures it would get right without overfitting, 0 to 1.
    """
    depth, rate = config["unfreeze_depth"], math.log10(config["lr_head"])
    epoch = np.arange(1, epochs + 1, dtype=np.float64)
    stretch = epochs / 16
    speed = (0.28 + 0.06 * depth) * np.clip(1.0 + 0.3 * (rate + 3), 0.55, 1.4)
    speed *= rng.lognormal(0.0, 0.18)
    late = 1.5 if config["augment_policy"] == "strong" else 0.0
    turn = (_TURN_BY_DEPTH[depth] + late + rng.normal(0, 1.1)) * stretch
    past = np.maximum(epoch - turn, 0.0) / stretch
    left = np.exp(-speed * epoch)

    share = height - (height - 0.2) * left - 0.005 * past + rng.normal(0, 0.006, epochs)
    counts = _counts(np.clip(share, 0.02, 0.97), rng)
    train_height = min(0.985, height + 0.07 + 0.06 * depth)
    train_left = np.exp(-0.8 * speed * epoch)
    train_share = train_height - (train_height - 0.19) * train_left + rng.normal(0, 0.004, epochs)
    train_floor = 0.95 - 0.19 * depth - 0.4 * (height - 0.6)
    train_loss = train_floor + (1.79 - train_floor) * train_left + rng.normal(0, 0.006, epochs)
    floor = 2.3 - 2.1 * height
    rise = (0.03 + 0.014 * depth) * past
    val_loss = floor + (1.79 - floor) * left + rise + rng.normal(0, 0.012, epochs)
    return Curve(
        train_loss=np.maximum(train_loss, 0.02),
        train_accuracy=np.clip(train_share, 0.0, 1.0),
        train_macro_f1=np.clip(train_share - 0.012, 0.0, 1.0),
        val_loss=val_loss,
        val_accuracy=scores.accuracy(counts),
        val_macro_f1=scores.macro_f1(counts),
        counts=counts,
    )


def exploding(curve: Curve, at: int, rng: np.random.Generator) -> Curve:
    """The curve up to epoch ``at``, whose losses are not finite or exploded."""
    cut = curve.cut(at)
    finite = rng.random() < 0.4
    changed = {name: values.copy() for name, values in vars(cut).items()}
    changed["train_loss"][-1] = rng.uniform(8, 40) if finite else np.nan
    changed["val_loss"][-1] = rng.uniform(8, 60) if finite else np.nan
    if not finite:
        changed["val_accuracy"][-1] = changed["val_macro_f1"][-1] = np.nan
    return Curve(**changed)


def _counts(share: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Validation confusion counts (epochs, C, C) with about ``share`` (epochs,) right."""
    recall = np.clip(share[:, None] + _EASE * np.minimum(1.0, share[:, None] / 0.5), 0.0, 1.0)
    right = np.floor(recall * VALIDATION + rng.random((share.size, VALIDATION.size)))
    right = np.minimum(right, VALIDATION)
    # Cumulative rounding keeps every row's sum.
    edges = np.cumsum((VALIDATION - right)[:, :, None] * CONFUSED, axis=2)
    cells = np.diff(np.rint(edges), axis=2, prepend=0.0)
    diagonal = np.arange(VALIDATION.size)
    cells[:, diagonal, diagonal] = right
    return cells.astype(np.int64)
