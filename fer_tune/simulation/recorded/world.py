"""A world fitted to the records of searches: a surrogate of every arm (:mod:`surrogate`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fer_tune.simulation.recorded.curve_trees import SCORES, SECONDS
from fer_tune.simulation.recorded.surrogate import ArmSurrogate
from fer_tune.simulation.world import Course, Floats, coordinates, draws_of
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment, derive_seed


class RecordedWorld:
    """Curves and times as surrogates have them, of records in which ``refusal`` finds nothing.

    Args:
        space: what is simulated.
        recorded: the search space of the records, whose domains are the coordinates.
        arms: a surrogate for every arm of ``space``.
        seed: of what is drawn of the surrogates, and of the noise.
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
        self._space, self._recorded, self._seed = space, recorded, seed
        self._fitted = arms
        draws = np.random.default_rng([seed, 3])
        self._arms = {arm: arms[arm].drawn(draws) for arm in sorted(arms)}
        self._cache: dict[tuple[str, TrialConfig], Floats] = {}

    def reseeded(self, seed: int) -> RecordedWorld:
        """The same surrogates with other trees and noise."""
        return RecordedWorld(
            self._space, self._recorded, self._fitted, classes=self.classes, seed=seed
        )

    def __getstate__(self) -> dict[str, Any]:
        """For another process, which predicts its own curves."""
        return {**self.__dict__, "_cache": {}}

    def course(self, run: Assignment) -> Course:
        """See :class:`fer_tune.simulation.world.World`."""
        arm, epochs = self._arms[run.arm], self._space.budget.max_epochs
        own = np.random.default_rng([self._seed, derive_seed(run.arm, repr(run.config))])
        draws = draws_of(run, self._seed, 1)
        point = coordinates(self._recorded, run.arm, run.config)
        curve = self._curve(run, point)
        noise, metric = arm.noise, self._space.metric
        of_seed = draws.normal(0, noise.between)
        wobble = noise.wobble(epochs, draws)
        column = SCORES.index(f"val_{metric}")
        values = curve[:, column] + of_seed + wobble[:, 0]
        val_loss = values if metric == "loss" else curve[:, 2] + wobble[:, 1]
        fate, fails_after = arm.fate(point, own), None
        if fate == "diverged":
            values, val_loss = values * np.nan, val_loss * np.nan
        elif draws.uniform() < arm.failed_share:
            fails_after = int(draws.integers(epochs))
        sign = 0.0 if metric == "loss" else 1.0
        truth = curve[:, 0] + arm.test_gap
        rank = run.number // len(self._space.compare.arms)
        pace = arm.pace(run.cohort, rank, draws_of(run, self._seed, 2))
        return Course(
            values=values if metric == "loss" else np.clip(values, 0, 1),
            train_loss=np.maximum(curve[:, 3], 1e-6),
            val_loss=val_loss,
            seconds=pace.seconds(np.exp(curve[:, SECONDS])),
            test=np.clip(truth + sign * of_seed, 0, 1),
            truth=np.clip(truth, 0, 1),
            setup_s=pace.setup_s,
            fails_after=0 if fate == "oom" else fails_after,
            failure="oom" if fate == "oom" else "failed",
        )

    def _curve(self, run: Assignment, point: Floats) -> Floats:
        key = (run.arm, run.config)
        if key not in self._cache:
            self._cache[key] = self._arms[run.arm].trees.curve(point, self._space.budget.max_epochs)
        return self._cache[key]
