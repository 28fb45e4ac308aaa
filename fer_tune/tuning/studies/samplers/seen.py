"""What a sampler learns from: the ended trials of a study, as points and losses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from fer_tune.tuning.studies.samplers.unit_cube import to_cube

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Trials that have a value, in order of asking.

    Attributes:
        points: (trials, parameters), in the unit cube.
        losses: (trials,), smaller is better.
    """

    points: Floats
    losses: Floats


def value_of(trial: FrozenTrial, *, minimised: bool) -> float | None:
    """The value of an ended trial: its own, or the best that a stopped one had reached.

    Salinas et al. 2023, section 4.3, fit a surrogate to the last value of every trial, at whatever
    epoch ASHA stopped it; ours is the best one, as trials are compared by that. None: it failed.
    """
    if trial.state == TrialState.COMPLETE:
        return trial.value
    if trial.state == TrialState.PRUNED and trial.intermediate_values:
        values = trial.intermediate_values.values()
        return min(values) if minimised else max(values)
    return None


def seen(study: optuna.Study, known: dict[str, BaseDistribution]) -> Seen:
    """The trials of ``study`` that have a value."""
    minimised = study.direction == optuna.study.StudyDirection.MINIMIZE
    trials = [
        (to_cube(known, trial.params), value if minimised else -value)
        for trial in study.get_trials(deepcopy=False)
        if (value := value_of(trial, minimised=minimised)) is not None
    ]
    return Seen(
        points=np.array([point for point, _ in trials]).reshape(len(trials), len(known)),
        losses=np.array([loss for _, loss in trials]),
    )
