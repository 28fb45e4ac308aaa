"""Whether more trials still pay: the gain to be expected of them against confirmation's noise.

The gain is the expected improvement of the best value by the remaining trials, from an exponential
fit to the upper tail of the recorded values (peaks over threshold; Coles 2001, chapter 4, with
shape 0). With s the mean excess of the largest values over the k-th, the best of n + m values is
expected to exceed the best of n by

    s * (1 / (n + 1) + ... + 1 / (n + m))

(Renyi 1953: the spacings of exponential order statistics). For exponential tails this is unbiased;
for a score with an upper bound it overstates the gain. Further trials are taken to be like the
earlier ones of their study.

Noise is the standard error of an arm's mean over all of its confirmation runs, from how scores
vary between the last epochs of good trials: a second difference has six times the variance of an
epoch. Seeds vary at least as much, so a search rather runs on too long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from fer_tune.space import SearchSpace
from fer_tune.space.checking.cross_field import CURVE_EPOCHS, LEAST_TRIALS
from fer_tune.tuning.studies.study import ArmStudy

#: Largest values that the tail is fitted to: at least so many, and this share of the trials.
TAIL, TAIL_SHARE = 5, 0.25
#: Curves that the noise is estimated from, at least. Each gives its last three epochs.
LEAST_CURVES = 3
#: Median of |d| / standard deviation, for normal d.
_MEDIAN_OF_NORMAL = 0.6745


@dataclass(frozen=True, kw_only=True)
class NoGain:
    """The decision that more trials do not pay, for all studies together.

    Attributes:
        trials: asked for in each study so far. left: that each of them does without.
        gain: by arm, that these were expected to bring, mean over its studies.
        noise: by arm, standard error of the mean over its confirmation runs.
    """

    trials: int
    left: int
    gain: dict[str, float]
    noise: dict[str, float]

    def fields(self) -> dict[str, Any]:
        """As in the event log and the manifest."""
        arms = {arm: {"gain": self.gain[arm], "noise": self.noise[arm]} for arm in self.gain}
        return {"trials": self.trials, "left": self.left, "arms": arms}


def no_gain(space: SearchSpace, studies: Sequence[ArmStudy]) -> NoGain | None:
    """The decision if more trials do not pay in any arm; None if they may.

    It is for all studies together, where each has been asked for as many trials: so all arms keep
    equal numbers of them.
    """
    asked, left = {s.asked for s in studies}, {s.remaining for s in studies}
    if len(asked) > 1 or len(left) > 1 or min(s.ended_trials for s in studies) < LEAST_TRIALS:
        return None
    sign = -1.0 if space.metric == "loss" else 1.0
    gain: dict[str, float] = {}
    noise: dict[str, float] = {}
    for arm in space.compare.arms:
        own = [s for s in studies if arm in s.arms]
        trials = [_Ended.of(trial, sign) for s in own for trial in s.ended()]
        spread = seed_spread([(one.curve, one.best) for one in trials if one.is_complete])
        gains = [_gain(s, sign) for s in own]
        if spread is None or not all(map(math.isfinite, gains)):
            return None
        gain[arm] = float(np.mean(gains))
        noise[arm] = spread / math.sqrt(space.confirm.seeds * len(own))
        if gain[arm] >= noise[arm]:
            return None
    return NoGain(trials=asked.pop(), left=left.pop(), gain=gain, noise=noise)


def without_gain(decision: Mapping[str, Any]) -> str:
    """The decision in a sentence.

    Args:
        decision: :meth:`NoGain.fields`.
    """
    arms = "; ".join(
        f"{arm}: expected gain {figures['gain']:.4f}, confirmation noise {figures['noise']:.4f}"
        for arm, figures in decision["arms"].items()
    )
    return (
        f"No further trials: after {decision['trials']} per study, {decision['left']} more are not "
        f"expected to pay ({arms})."
    )


def expected_gain(values: Sequence[float], more: int, pending: int = 0) -> float:
    """By how much the best of ``more`` trials is expected to exceed that of all others.

    Args:
        values: of ended trials, larger is better.
        pending: trials that have not ended, which come before the ``more``.

    Returns:
        In the unit of the values; infinite where they are too few for a tail.
    """
    largest = np.sort(np.asarray(values, dtype=np.float64))[::-1]
    k = max(TAIL, math.ceil(TAIL_SHARE * largest.size))
    if largest.size <= k:
        return math.inf
    excesses = largest[: k - 1] - largest[k - 1]
    first = largest.size + pending + 1
    return float(excesses.mean() * (1 / np.arange(first, first + more)).sum())


def seed_spread(curves: Sequence[tuple[Sequence[float], float]]) -> float | None:
    """Standard deviation of a score around its curve, from the last epochs of the better half.

    Args:
        curves: values by epoch, and the best of them.

    Returns:
        None where fewer than :data:`LEAST_CURVES` of them have
        :data:`CURVE_EPOCHS`.
    """
    known = sorted((c for c in curves if len(c[0]) >= CURVE_EPOCHS), key=lambda c: -c[1])
    better = known[: max(LEAST_CURVES, math.ceil(len(known) / 2))]
    if len(better) < LEAST_CURVES:
        return None
    seconds = [abs(c[-1] - 2 * c[-2] + c[-3]) for c, _ in better]
    return float(np.median(seconds)) / _MEDIAN_OF_NORMAL / math.sqrt(6)


@dataclass(frozen=True)
class _Ended:
    """A trial that has ended, larger values are better."""

    curve: list[float]
    best: float
    is_complete: bool

    @classmethod
    def of(cls, trial: FrozenTrial, sign: float) -> _Ended:
        values = [sign * value for _, value in sorted(trial.intermediate_values.items())]
        best = max(values, default=math.nan)
        return cls(values, best, trial.state == TrialState.COMPLETE)


def _gain(study: ArmStudy, sign: float) -> float:
    ended = [_Ended.of(t, sign) for t in study.ended() if t.state != TrialState.FAIL]
    values = [one.best for one in ended if math.isfinite(one.best)]
    return expected_gain(values, study.remaining, study.open_trials)
