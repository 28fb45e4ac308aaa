"""A world fitted to the records of searches: a surrogate of every arm.

Per arm, extremely randomised trees (Geurts et al. 2006, scikit-learn) predict from a configuration
the scores, losses and time of the first epoch, and from configuration and epoch by how much each
changes in a later one. Changes, not levels: at late epochs only the trials that ASHA spared were
recorded, whose levels say nothing of the others.

What the trees leave unexplained is noise, estimated from predictions of trials that a fold's trees
have not seen:

==================  =======================================================================
part                estimate
==================  =======================================================================
within a run        median of the second differences of the residual over the epochs, to which
                    smooth differences of curves add little
between runs        standard deviation of the last score among confirmation seeds of a choice,
                    beyond that; without them, of the mean residual of a trial
of a configuration  what the mean residual of a trial varies beyond that; every run of the
                    configuration has the same
==================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import GroupKFold

from fer_tune.simulation.world import Course, Floats, coordinates
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment, derive_seed

#: What is predicted of an epoch; the logarithm of its seconds comes last.
SCORES = ("val_macro_f1", "val_accuracy", "val_loss", "train_loss")
#: Configurations of an arm, and epochs of each, that a surrogate needs at least.
FEWEST_CONFIGURATIONS = 8
FEWEST_EPOCHS = 2

_FOLDS = 5
_TREES = 60
#: Draws of a curve's noise, of which the optimism of its best epoch is the mean.
_DRAWS = 400
_SEED = 1947

Fate = Literal["ended", "oom", "diverged"]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Standard deviations of macro-F1 (or, for ``loss``, of the loss)."""

    within: float
    between: float
    of_configuration: float


class _Trees:
    """The two regressors: of the first epoch, and of the changes after it."""

    def __init__(self, points: Mapping[int, Floats], curves: Mapping[int, Floats]) -> None:
        self._first = _regressor(2).fit(
            np.array([points[trial] for trial in curves]),
            np.array([curve[0] for curve in curves.values()]),
        )
        later = [
            (np.append(points[trial], epoch), curve[epoch] - curve[epoch - 1])
            for trial, curve in curves.items()
            for epoch in range(1, len(curve))
        ]
        x, y = (np.array(part) for part in zip(*later, strict=True))
        # Columns on one scale, as trees split by the sum of their variances.
        self._scale = np.maximum(y.std(axis=0), 1e-9)
        self._later = _regressor(5).fit(x, y / self._scale)

    def curve(self, point: Floats, epochs: int) -> Floats:
        """(epochs, columns): the predicted curve of a configuration."""
        later = np.arange(1, epochs)[:, None]
        x = np.hstack([np.repeat(point[None, :], epochs - 1, axis=0), later])
        first = self._first.predict(point[None, :])
        if epochs == 1:
            return np.asarray(first)
        return np.cumsum(np.vstack([first, self._later.predict(x) * self._scale]), axis=0)


def _regressor(leaf: int) -> ExtraTreesRegressor:
    return ExtraTreesRegressor(
        _TREES, min_samples_leaf=leaf, bootstrap=False, random_state=_SEED, n_jobs=1
    )


@dataclass(frozen=True, kw_only=True)
class ArmSurrogate:
    """The surrogate of one arm.

    Attributes:
        fates: how its recorded trials ended, with their points.
        failed_share: of runs that end with an error.
        test_gap: mean of test macro-F1 minus validation macro-F1 over confirmation runs, with the
            optimism of the best epoch added, which simulated test curves do not have.
        setup_s: median.
    """

    trees: _Trees
    noise: Noise
    points: Floats
    fates: tuple[Fate, ...]
    failed_share: float
    test_gap: float
    setup_s: float

    def fate(self, point: Floats, draws: np.random.Generator) -> Fate:
        """How a configuration ends: as one of its nearest recorded neighbours."""
        if not self.fates:
            return "ended"
        near = np.argsort(((self.points - point) ** 2).sum(axis=1), kind="stable")[:3]
        return self.fates[int(draws.choice(near))]


class RecordedWorld:
    """See the module; the records must be such that ``refusal`` finds nothing.

    Args:
        space: what is simulated.
        recorded: the search space of the records, whose domains are the coordinates.
        arms: a surrogate for every arm of ``space``.
        seed: of the noise.
    """

    def __init__(
        self,
        space: SearchSpace,
        recorded: SearchSpace,
        arms: Mapping[str, ArmSurrogate],
        *,
        classes: int,
        seed: int = 0,
    ) -> None:
        self.classes = classes
        self._space, self._recorded, self._arms, self._seed = space, recorded, arms, seed
        self._cache: dict[tuple[str, TrialConfig], Floats] = {}

    def reseeded(self, seed: int) -> RecordedWorld:
        """The same surrogates with other noise."""
        other = RecordedWorld(
            self._space, self._recorded, self._arms, classes=self.classes, seed=seed
        )
        other._cache = self._cache
        return other

    def course(self, run: Assignment) -> Course:
        """See :class:`fer_tune.simulation.world.World`."""
        arm, epochs = self._arms[run.arm], self._space.budget.max_epochs
        own = np.random.default_rng([self._seed, derive_seed(run.arm, repr(run.config))])
        draws = np.random.default_rng([self._seed, 1, run.seed])
        point = coordinates(self._recorded, run.arm, run.config)
        curve = self._curve(run, point)
        noise, metric = arm.noise, self._space.metric
        of_configuration, of_seed = (
            own.normal(0, noise.of_configuration),
            draws.normal(0, noise.between),
        )
        level = of_configuration + of_seed
        wobble = draws.normal(0, noise.within, epochs)
        shift = level + wobble
        column = SCORES.index(f"val_{metric}")
        values = curve[:, column] + shift
        val_loss = values if metric == "loss" else curve[:, 2] - wobble
        fate, fails_after = arm.fate(point, own), None
        if fate == "diverged":
            values, val_loss = values * np.nan, val_loss * np.nan
        elif draws.uniform() < arm.failed_share:
            fails_after = int(draws.integers(epochs))
        sign = 0.0 if metric == "loss" else 1.0
        truth = curve[:, 0] + sign * of_configuration + arm.test_gap
        return Course(
            values=values if metric == "loss" else np.clip(values, 0, 1),
            train_loss=np.maximum(curve[:, 3], 1e-6),
            val_loss=val_loss,
            seconds=np.exp(curve[:, 4]),
            test=np.clip(truth + sign * of_seed, 0, 1),
            truth=np.clip(truth, 0, 1),
            setup_s=arm.setup_s,
            fails_after=0 if fate == "oom" else fails_after,
            failure="oom" if fate == "oom" else "failed",
        )

    def _curve(self, run: Assignment, point: Floats) -> Floats:
        key = (run.arm, run.config)
        if key not in self._cache:
            trees = self._arms[run.arm].trees
            self._cache[key] = trees.curve(point, self._space.budget.max_epochs)
        return self._cache[key]


# -- fitting --------------------------------------------------------------------------------------


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


def fit_arm(
    recorded: SearchSpace, arm: str, trials: pd.DataFrame, epochs: pd.DataFrame, metric: str
) -> ArmSurrogate:
    """Fits the surrogate of one arm.

    Args:
        recorded: the search space of the records.
        trials: the ``trials`` table with confirmation runs.
        epochs: the ``epochs`` table.
        metric: whose noise is estimated, such as ``val_macro_f1``.
    """
    trials = trials[trials["arm"] == arm]
    points = {
        int(row["trial"]): coordinates(recorded, arm, config_of(row))
        for row in trials.to_dict("records")
    }
    curves = {t: c for t, c in curves_of(epochs).items() if t in points}
    able = trials[trials["state"] != "failed"]
    confirmed = trials[trials["test_macro_f1"].notna()]
    gap = (confirmed["test_macro_f1"] - confirmed["best_val_macro_f1"]).mean()
    setup = trials["setup_seconds"].median()
    trees, noise = _Trees(points, curves), _noise(points, curves, confirmed, metric)
    if metric != "val_loss":  # whose noise is on another scale than the test score
        chosen = [(points[t], len(curves[t])) for t in confirmed["trial"] if t in curves]
        gap += _optimism(trees, noise.within, chosen, SCORES.index(metric))
    return ArmSurrogate(
        trees=trees,
        noise=noise,
        points=np.array([points[int(t)] for t in able["trial"]]),
        fates=tuple(_fate(str(state)) for state in able["state"]),
        failed_share=float((trials["state"] == "failed").mean()),
        test_gap=0.0 if np.isnan(gap) else float(gap),
        setup_s=0.0 if np.isnan(setup) else float(setup),
    )


def _optimism(
    trees: _Trees, within: float, runs: Sequence[tuple[Floats, int]], column: int
) -> float:
    """By how much the best of the epochs' noisy scores exceeds that epoch's curve, on average.

    Args:
        within: standard deviation of an epoch's score.
        runs: point and epochs of each.
    """
    draws, found = np.random.default_rng(_SEED), []
    for point, epochs in runs:
        curve = trees.curve(point, epochs)[:, column]
        wobble = draws.normal(0, within, (_DRAWS, epochs))
        best = (curve + wobble).argmax(axis=1)
        found.append(wobble[np.arange(_DRAWS), best].mean())
    return float(np.mean(found)) if found else 0.0


def config_of(row: Mapping[Any, Any]) -> TrialConfig:
    """The configuration of a row of ``trials``; what an older table lacks has its default."""
    return TrialConfig.from_dict({str(k): v for k, v in row.items() if pd.notna(v)})


def _fate(state: str) -> Fate:
    return state if state in ("oom", "diverged") else "ended"  # type: ignore[return-value]


def _noise(
    points: Mapping[int, Floats], curves: Mapping[int, Floats], confirmed: pd.DataFrame, metric: str
) -> Noise:
    column = SCORES.index(metric)
    residuals = [
        curves[t][:, column] - predicted[:, column]
        for t, predicted in _unseen(points, curves).items()
    ]
    bends = np.concatenate([np.diff(r, 2) for r in residuals if len(r) > 2] or [np.zeros(1)])
    # Of white noise, second differences have 6 times the variance; 1.4826 makes a standard
    # deviation of a median absolute deviation.
    within = float(1.4826 * np.median(np.abs(bends)) / np.sqrt(6))
    means = np.array([r.mean() for r in residuals])
    spread = float(means.std())
    seeds = _seed_spread(confirmed, curves, column)
    if seeds is None:
        return Noise(within=within, between=spread, of_configuration=0.0)
    between = float(np.sqrt(max(0.0, seeds**2 - within**2)))
    own = float(np.sqrt(max(0.0, spread**2 - between**2)))
    return Noise(within=within, between=between, of_configuration=own)


def _unseen(points: Mapping[int, Floats], curves: Mapping[int, Floats]) -> dict[int, Floats]:
    """The curve of every trial as predicted by trees that have not seen its configuration."""
    numbers = list(curves)
    known = {tuple(points[t]): k for k, t in enumerate(numbers)}
    groups = [known[tuple(points[t])] for t in numbers]
    folds = min(_FOLDS, len(set(groups)))
    found = {}
    for seen, unseen in GroupKFold(folds).split(numbers, groups=groups):
        trees = _Trees(points, {numbers[k]: curves[numbers[k]] for k in seen})
        for k in unseen:
            trial = numbers[k]
            found[trial] = trees.curve(points[trial], len(curves[trial]))
    return found


def _seed_spread(
    confirmed: pd.DataFrame, curves: Mapping[int, Floats], column: int
) -> float | None:
    """Pooled standard deviation of the last score between the seeds of a choice."""
    squares, freedom = 0.0, 0
    for _, group in confirmed.groupby("replicate"):
        last = np.array([curves[t][-1, column] for t in group["trial"] if t in curves])
        if len(last) > 1:
            squares += float(((last - last.mean()) ** 2).sum())
            freedom += len(last) - 1
    return float(np.sqrt(squares / freedom)) if freedom else None
