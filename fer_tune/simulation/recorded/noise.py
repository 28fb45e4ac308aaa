"""What runs vary beyond their configuration, and recorded curves without it.

Residuals are those of trees that have not seen a run's configuration.

==============  =========================================================================
part            estimate
==============  =========================================================================
within a run    a recorded run's own: the second differences of its residual, with random
                signs. Of the half of the runs with the better curves, as what varies in poor
                ones decides nothing. It becomes small with the learning rate
between runs    standard deviation of the last score among confirmation seeds of a choice, beyond
                that; without them, of the mean residual of a run
==============  =========================================================================

A recorded curve without noise is the predicted one and the smoothed residual, made smaller by what
runs add. Trees that grew on noisy curves would have the luck of the best trials in them, and
simulated runs would have theirs beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from fer_tune.curves import smooth
from fer_tune.simulation.recorded.curve_trees import SCORES, CurveTrees
from fer_tune.simulation.world import Floats

_FOLDS = 5
#: Epochs before the end of the longest runs in which learning rates are small.
_LAST = 3
#: Epochs that second differences need.
_SHORTEST = 3


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Of the search's metric, and of the loss on validation.

    Attributes:
        within: by recorded run, (epochs, 2): what metric and loss vary.
        between: standard deviation of the metric between runs.
        kept: share of the variance of residuals that runs do not add, in [0, 1].
    """

    within: tuple[Floats, ...]
    between: float
    kept: float

    def wobble(self, epochs: int, draws: np.random.Generator) -> Floats:
        """(epochs, 2), what metric and loss of a run vary: as those of a recorded one and, after
        its end, of a longer one."""
        found, at = np.zeros((epochs, 2)), 0
        while at < epochs and (longer := [one for one in self.within if len(one) > at]):
            one = longer[int(draws.integers(len(longer)))][:epochs]
            found[at : len(one)] = one[at:]
            at = len(one)
        # Second differences alternate, which a sum over epochs would show.
        signs: Floats = draws.choice([-1.0, 1.0], (epochs, 1))
        return found * signs


def estimate(
    unseen: Mapping[int, Floats], curves: Mapping[int, Floats], confirmed: pd.DataFrame, metric: str
) -> Noise:
    """Estimates the noise of an arm.

    Args:
        unseen: by run, its curve as :func:`predicted_unseen` has it.
        curves: as recorded.
        confirmed: rows of ``trials`` of confirmation runs.
        metric: such as ``val_macro_f1``.
    """
    column = SCORES.index(metric)
    columns = [column, SCORES.index("val_loss")]
    residuals = [curves[t][:, columns] - predicted[:, columns] for t, predicted in unseen.items()]
    better = (residuals[k] for k in _better(curves, unseen, metric))
    within = tuple(_within(residual) for residual in better if len(residual) >= _SHORTEST)
    spread = float(np.std([residual[:, 0].mean() for residual in residuals]))
    seeds = _seed_spread(confirmed, curves, column)
    if seeds is None:
        return Noise(within=within, between=spread, kept=0.0)
    longest = max(map(len, within), default=0)
    last = [value for one in within if len(one) == longest for value in one[-_LAST:, 0]]
    between = float(np.sqrt(max(0.0, seeds**2 - np.square(last).mean()))) if last else seeds
    kept = max(0.0, 1.0 - between**2 / spread**2) if spread > 0 else 0.0
    return Noise(within=within, between=between, kept=kept)


def without_noise(
    unseen: Mapping[int, Floats], curves: Mapping[int, Floats], kept: float
) -> dict[int, Floats]:
    """The curves, their scores without noise; ``kept`` is that of :class:`Noise`.

    They vary as much as true curves do: the likeliest ones vary less, and the best of them is not
    as good as the best true one.
    """
    found = {}
    for t, predicted in unseen.items():
        found[t] = curves[t].copy()
        for column in range(len(SCORES)):
            residual = curves[t][:, column] - predicted[:, column]
            found[t][:, column] = predicted[:, column] + np.sqrt(kept) * smooth(residual)
    return found


def predicted_unseen(
    points: Mapping[int, Floats], curves: Mapping[int, Floats]
) -> dict[int, Floats]:
    """The curve of every run as predicted by trees that have not seen its configuration."""
    numbers = list(curves)
    known = {tuple(points[t]): k for k, t in enumerate(numbers)}
    groups = [known[tuple(points[t])] for t in numbers]
    folds = min(_FOLDS, len(set(groups)))
    found = {}
    for seen, unseen in GroupKFold(folds).split(numbers, groups=groups):
        trees = CurveTrees(points, {numbers[k]: curves[numbers[k]] for k in seen})
        for k in unseen:
            trial = numbers[k]
            found[trial] = trees.curve(points[trial], len(curves[trial]))
    return found


def _better(curves: Mapping[int, Floats], trials: Mapping[int, Floats], metric: str) -> list[int]:
    """Positions of the runs whose best smoothed value is at least the median of these."""
    sign = -1.0 if metric == "val_loss" else 1.0
    column = SCORES.index(metric)
    heights = np.array([(sign * smooth(curves[t][:, column])).max() for t in trials])
    return [int(k) for k in np.flatnonzero(heights >= np.median(heights))]


def _within(residual: Floats) -> Floats:
    """What residual curves vary from epoch to epoch: their second differences, to which smooth
    differences of curves add little. Of white noise, they have 6 times the variance."""
    bends = np.diff(residual, 2, axis=0) / np.sqrt(6)
    return np.concatenate([bends[:1], -bends, bends[-1:]])


def _seed_spread(
    confirmed: pd.DataFrame, curves: Mapping[int, Floats], column: int
) -> float | None:
    """Pooled standard deviation of the last score between the seeds of a choice."""
    squares, freedom = 0.0, 0
    for _, group in confirmed.groupby("replicate"):
        last = np.array([curves[t][-1][column] for t in group["trial"] if t in curves])
        if len(last) > 1:
            squares += float(((last - last.mean()) ** 2).sum())
            freedom += len(last) - 1
    return float(np.sqrt(squares / freedom)) if freedom else None
