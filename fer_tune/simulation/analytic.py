"""A world of known truth: smooth response surfaces per arm, with overfitting and noise."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from fer_tune.simulation.world import Coordinates, Course, Floats
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment, derive_seed


@dataclass(frozen=True, kw_only=True)
class AnalyticWorld:
    """Learning curves from a formula.

    An arm has a best configuration, drawn from ``seed``, at which its score tends to ``peaks``.
    Away from it the score falls with the squared distance per coordinate, with weights of which
    few are large, as those of real hyperparameters are. Curves rise exponentially; some
    configurations overfit from an epoch of their own.

    Attributes:
        space: its domains are the coordinates.
        peaks: score at the best configuration, by arm; 0.6 where an arm is not named.
        spread: score lost at the far end of the heaviest coordinate.
        noise: standard deviation of a configuration's score between seeds.
        wobble: standard deviation of one epoch's score round its curve.
        epoch_s: seconds of an epoch at the middle of every domain.
        oom_share: of configurations that run out of memory.
        failed_share: of runs that end by an error.
        seed: of everything that is drawn.
    """

    space: SearchSpace
    peaks: dict[str, float] = field(default_factory=dict)
    spread: float = 0.25
    noise: float = 0.01
    wobble: float = 0.006
    epoch_s: float = 60.0
    setup_s: float = 10.0
    oom_share: float = 0.0
    failed_share: float = 0.0
    seed: int = 0
    classes: int = 6

    def truth(self, run: Assignment) -> float:
        """The score to which a run's curve tends, without noise."""
        at, best, weights = self._surface(run)
        return float(
            self.peaks.get(run.arm, 0.6) - self.spread * (weights * (at - best) ** 2).sum()
        )

    def _surface(self, run: Assignment) -> tuple[Floats, Floats, Floats]:
        at = Coordinates(self.space).of(run)
        arm = np.random.default_rng([self.seed, derive_seed("surface", run.arm)])
        best = arm.uniform(0.2, 0.8, at.size)
        weights = np.sort(arm.exponential(1.0, at.size))[::-1] * 0.6 ** np.arange(at.size)
        arm.shuffle(weights)
        return at, best, weights / weights.max() if at.size else weights

    def course(self, run: Assignment, epochs: int) -> Course:
        """See :class:`fer_tune.simulation.world.World`."""
        at, best, weights = self._surface(run)
        own = np.random.default_rng([self.seed, 2, derive_seed(run.config.as_dict().__repr__())])
        noise = np.random.default_rng([self.seed, 3, run.seed])
        truth = self.truth(run) + noise.normal(0, self.noise)
        epoch = np.arange(1, epochs + 1)
        pace = epochs * own.uniform(0.1, 0.4)
        turns = epochs * own.uniform(0.5, 2.0)
        falls = np.maximum(0, epoch - turns) / epochs
        floor = 1 / self.classes
        rise = 1 - np.exp(-epoch / pace)
        values = floor + (truth - floor) * rise - 0.1 * falls
        values = np.clip(values + noise.normal(0, self.wobble, epochs), 0, 1)
        uniform = np.log(self.classes)
        train_loss = uniform * np.exp(-1.5 * epoch / pace / 3) + 0.02
        val_loss = uniform * (1 - 0.6 * rise * truth) + 0.5 * falls
        if self.space.metric == "loss":
            values = val_loss + noise.normal(0, self.wobble, epochs)
        costs = self.epoch_s * np.exp(own.normal(0, 0.4)) * (0.7 + 0.6 * at.mean())
        fate = own.uniform(), noise.uniform()
        fails = fate[0] < self.oom_share or fate[1] < self.failed_share
        return Course(
            values=values,
            train_loss=train_loss,
            val_loss=val_loss,
            seconds=np.full(epochs, costs),
            setup_s=self.setup_s,
            test=float(np.clip(truth - 0.1 * max(0.0, falls[values.argmax()]), 0, 1)),
            fails_after=int(noise.integers(0, epochs))
            if fails and fate[0] >= self.oom_share
            else 0
            if fails
            else None,
            failure="oom" if fate[0] < self.oom_share else "failed",
        )
