"""Trees that predict a curve from a configuration: of its first epoch, and of later changes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor

from fer_tune.simulation.world import Floats

#: What is predicted of an epoch; the logarithm of its seconds comes last.
SCORES = ("val_macro_f1", "val_accuracy", "val_loss", "train_loss")
SECONDS = len(SCORES)
#: Trees of each kind, and how many of them predict together in a drawn world.
_TREES, _DRAWN = 60, 5
_SEED = 1947


class CurveTrees:
    """Two forests: of the first epoch, and of the changes after it."""

    def __init__(self, points: Mapping[int, Floats], curves: Mapping[int, Floats]) -> None:
        self._first = _grown(
            2,
            np.array([points[trial] for trial in curves]),
            np.array([curve[0] for curve in curves.values()]),
        )
        later = [
            (self._row(points[trial], epoch, curve[epoch - 1]), curve[epoch] - curve[epoch - 1])
            for trial, curve in curves.items()
            for epoch in range(1, len(curve))
        ]
        x, y = (np.array(part) for part in zip(*later, strict=True))
        # Columns on one scale, as trees split by the sum of their variances.
        self._scale = np.maximum(y.std(axis=0), 1e-9)
        self._later = _grown(5, x, y / self._scale)
        # Sums of changes could leave what was recorded.
        every = np.concatenate(list(curves.values()))
        self._lowest, self._highest = every.min(axis=0), every.max(axis=0)

    def drawn(self, draws: np.random.Generator) -> CurveTrees:
        """One of the worlds that the records allow: some of the trees, each of which was grown on
        a sample of the records."""
        other = copy.copy(self)
        other._first, other._later = (
            [trees[k] for k in draws.choice(len(trees), _DRAWN, replace=False)]
            for trees in (self._first, self._later)
        )
        return other

    def curve(self, point: Floats, epochs: int) -> Floats:
        """(epochs, columns): the predicted curve of a configuration."""
        found = [_predicted(self._first, point)]
        for epoch in range(1, epochs):
            row = self._row(point, epoch, found[-1])
            level = found[-1] + _predicted(self._later, row) * self._scale
            found.append(np.clip(level, self._lowest, self._highest))
        return np.array(found)

    @staticmethod
    def _row(point: Floats, epoch: int, before: Floats) -> Floats:
        """What a change depends on. With their scores, curves that were cut early level off."""
        return np.concatenate([point, [epoch], before[: len(SCORES)]])


def _predicted(trees: Sequence[Any], row: Floats) -> Floats:
    """The mean over trees, without a forest's threads, which take ten times as long for a row."""
    rows = np.ascontiguousarray(row[None, :], dtype=np.float32)
    total = sum(tree.tree_.predict(rows)[0, :, 0] for tree in trees)
    return np.asarray(total / len(trees))


def _grown(leaf: int, x: Floats, y: Floats) -> list[Any]:
    """Trees, each grown on rows that are drawn with replacement."""
    forest = ExtraTreesRegressor(
        _TREES, min_samples_leaf=leaf, bootstrap=True, random_state=_SEED, n_jobs=1
    )
    return list(forest.fit(x, y).estimators_)


def curves_of(epochs: pd.DataFrame) -> dict[int, Floats]:
    """By trial: (epochs, 5) :data:`SCORES` and log seconds, up to the first that is not finite."""
    columns = [*SCORES, "seconds"]
    found = {}
    for trial, rows in epochs.sort_values("epoch").groupby("trial"):
        table = rows[columns].to_numpy(dtype=float, copy=True)
        table[:, -1] = np.log(np.maximum(table[:, -1], 1e-3))
        finite = np.isfinite(table).all(axis=1)
        length = len(table) if finite.all() else int(finite.argmin())
        if length:
            found[int(str(trial))] = table[:length]
    return found
