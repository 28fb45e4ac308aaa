"""A world of known truth: smooth response surfaces per arm, with overfitting and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from fer_tune.simulation.world import Course, Floats, coordinates, draws_of
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.tuning.log.assignment import Assignment, derive_seed

#: Score of an arm at its best configuration, where none is given.
PEAK = 0.6


@dataclass(frozen=True, kw_only=True)
class _Shape:
    """How the curve of one configuration runs.

    Attributes:
        truth: the score that it tends to.
        pace, turn: epochs until most of it is reached; epoch after which it overfits.
        seconds: of an epoch.
    """

    truth: float
    pace: float
    turn: float
    seconds: float
    is_oom: bool


@dataclass(frozen=True, kw_only=True)
class AnalyticWorld:
    """Learning curves from a formula.

    An arm has a best configuration, drawn from ``seed``. Away from it the score falls with the
    squared distance per coordinate, with weights of which few are large, as for real
    hyperparameters. Curves rise exponentially; some configurations overfit.

    Attributes:
        space: its domains are the coordinates.
        peaks: score at the best configuration, by arm; :data:`PEAK` where an arm is not named.
        spread: score lost at the far end of the heaviest coordinate.
        noise: standard deviation of a configuration's score between seeds.
        wobble: standard deviation of an epoch's score around its curve.
        epoch_s: seconds of an epoch, by median.
        oom_crop: crop size from which configurations run out of memory; None: none does.
        failed_share: of runs that end with an error.
        seed: of all that is drawn.
    """

    space: SearchSpace
    peaks: Mapping[str, float] = field(default_factory=dict)
    spread: float = 0.25
    noise: float = 0.01
    wobble: float = 0.006
    epoch_s: float = 60.0
    setup_s: float = 10.0
    oom_crop: int | None = None
    failed_share: float = 0.0
    seed: int = 0
    classes: int = 6

    def truth(self, arm: str, config: TrialConfig) -> float:
        """The score that a configuration's curve tends to, without noise."""
        return self._shape(arm, config).truth

    def course(self, run: Assignment) -> Course:
        """See :class:`fer_tune.simulation.world.World`."""
        epochs = self.space.budget.max_epochs
        shape = self._shape(run.arm, run.config)
        draws = draws_of(run, self.seed, 3)
        offset, wobble = draws.normal(0, self.noise), draws.normal(0, self.wobble, epochs)
        epoch = np.arange(1, epochs + 1)
        rise = 1 - np.exp(-epoch / shape.pace)
        fall = np.maximum(0, epoch - shape.turn) / epochs
        guess, uniform = 1 / self.classes, float(np.log(self.classes))
        truth = shape.truth + offset
        test = guess + (truth - guess) * rise - 0.1 * fall
        without_offset = guess + (shape.truth - guess) * rise - 0.1 * fall
        is_loss = self.space.metric == "loss"
        val_loss = uniform * (1 - 0.6 * rise * truth) + 0.5 * fall + (wobble if is_loss else 0)
        fails = shape.is_oom or draws.uniform() < self.failed_share
        return Course(
            values=val_loss if is_loss else np.clip(test + wobble, 0, 1),
            train_loss=uniform * np.exp(-epoch / shape.pace / 2) + 0.02,
            val_loss=val_loss,
            seconds=np.full(epochs, shape.seconds),
            test=np.clip(test, 0, 1),
            truth=np.clip(without_offset, 0, 1),
            setup_s=self.setup_s,
            fails_after=(0 if shape.is_oom else int(draws.integers(epochs))) if fails else None,
            failure="oom" if shape.is_oom else "failed",
        )

    def _shape(self, arm: str, config: TrialConfig) -> _Shape:
        at = coordinates(self.space, arm, config)
        best, weights = self._surface(arm, at.size)
        own = np.random.default_rng([self.seed, 2, derive_seed(arm, repr(config))])
        epochs = self.space.budget.max_epochs
        return _Shape(
            truth=float(
                self.peaks.get(arm, PEAK) - self.spread * (weights * (at - best) ** 2).sum()
            ),
            pace=epochs * own.uniform(0.1, 0.4),
            turn=epochs * own.uniform(0.5, 2.0),
            seconds=self.epoch_s * float(np.exp(own.normal(0, 0.4))),
            is_oom=self.oom_crop is not None and config.crop_size >= self.oom_crop,
        )

    def _surface(self, arm: str, size: int) -> tuple[Floats, Floats]:
        """The best configuration of an arm, and the weight of each coordinate (at most 1)."""
        draws = np.random.default_rng([self.seed, derive_seed("surface", arm)])
        weights = np.sort(draws.exponential(1.0, size))[::-1] * 0.6 ** np.arange(size)
        draws.shuffle(weights)
        return draws.uniform(0.2, 0.8, size), weights / weights.max() if size else weights
