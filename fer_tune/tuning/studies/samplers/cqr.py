"""Conformalised quantile regression.

Salinas et al. 2023, "Optimizing Hyperparameters with Conformal Quantile Regression", sections 3
and 4: gradient boosting predicts quantiles of the loss; a held-out share of the trials corrects
them, so that they cover what they claim (Romano et al. 2019, "Conformalized Quantile Regression");
each of many candidates then draws one of its quantiles at random, and the smallest draw is
proposed, as in Thompson sampling.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from fer_tune.tuning.studies.samplers.proposing import JointSampler
from fer_tune.tuning.studies.samplers.seen import seen
from fer_tune.tuning.studies.samplers.unit_cube import from_cube

Floats = NDArray[np.float64]

#: Quantiles, in pairs about the median: evenly spaced, as in section 4.1.
LEVELS = (0.2, 0.4, 0.6, 0.8)
#: Ended trials before there is a model, and before a share of them corrects it.
FEWEST, FEWEST_CORRECTED = 4, 10
_HELD_OUT = 0.2
_CANDIDATES = 2000
_TREES = 50


class QuantileSampler(JointSampler):
    """A proposal after all ended trials; at random before :data:`FEWEST` of them."""

    def __init__(self, known: dict[str, BaseDistribution], seed: int) -> None:
        super().__init__(known)
        self._seed = seed

    def propose(self, study: optuna.Study) -> dict[str, Any]:
        draws = np.random.default_rng(self._seed)
        trials = seen(study, self._known)
        candidates = draws.uniform(size=(_CANDIDATES, len(self._known)))
        if len(trials.losses) < FEWEST:
            return from_cube(self._known, candidates[0])
        quantiles = conformal_quantiles(
            self._columns(trials.points), trials.losses, self._columns(candidates), draws
        )
        drawn = draws.integers(len(LEVELS), size=_CANDIDATES)
        best = int(np.argmin(quantiles[np.arange(_CANDIDATES), drawn]))
        return from_cube(self._known, candidates[best])

    def _columns(self, points: Floats) -> Floats:
        """Points as the regressor sees them: a column per number, and one per choice."""
        columns: list[Floats] = []
        for k, distribution in enumerate(self._known.values()):
            column = points[:, k]
            if isinstance(distribution, CategoricalDistribution):
                count = len(distribution.choices)
                chosen = np.minimum((column * count).astype(int), count - 1)
                columns += list(np.eye(count)[chosen].T)
            else:
                columns.append(column)
        return np.column_stack(columns)


def conformal_quantiles(x: Floats, y: Floats, at: Floats, draws: np.random.Generator) -> Floats:
    """(points, levels): quantiles of ``y`` at the points ``at``, corrected on held-out trials.

    Args:
        x, y: (trials, columns) and (trials,).
    """
    from sklearn.ensemble import GradientBoostingRegressor

    order = draws.permutation(len(y))
    held = round(_HELD_OUT * len(y)) if len(y) >= FEWEST_CORRECTED else 0
    fitted, correcting = order[held:], order[:held]
    models = [
        GradientBoostingRegressor(
            loss="quantile", alpha=level, n_estimators=_TREES, random_state=0
        ).fit(x[fitted], y[fitted])
        for level in LEVELS
    ]
    found = np.column_stack([model.predict(at) for model in models])
    if held:
        predicted = np.column_stack([model.predict(x[correcting]) for model in models])
        found += corrections(predicted, y[correcting])
    return found


def corrections(predicted: Floats, y: Floats) -> Floats:
    """(levels,): what is added to each quantile (Romano et al. 2019, equations 6 to 8).

    Args:
        predicted: (held-out trials, levels).
        y: (held-out trials,).
    """
    added = np.zeros(len(LEVELS))
    for low, level in enumerate(LEVELS[: len(LEVELS) // 2]):
        high = len(LEVELS) - 1 - low
        excess = np.maximum(predicted[:, low] - y, y - predicted[:, high])
        rank = math.ceil((1 - 2 * level) * (len(y) + 1))
        width = np.sort(excess)[min(rank, len(y)) - 1]
        added[low], added[high] = -width, width
    return added
