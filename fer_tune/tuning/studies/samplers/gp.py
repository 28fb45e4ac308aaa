"""Gaussian process: Optuna's GPSampler, with the trials that ASHA stopped."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import TrialState, create_trial

from fer_tune.tuning.studies.samplers.proposing import JointSampler
from fer_tune.tuning.studies.samplers.seen import value_of
from fer_tune.tuning.studies.samplers.tpe import STARTUP_TRIALS


class ProcessSampler(JointSampler):
    """Optuna's GPSampler on a copy of the study in which stopped trials have a value.

    It skips PRUNED trials: under ASHA, which stops most, it would draw at random for long.
    """

    def __init__(self, known: dict[str, BaseDistribution], seed: int) -> None:
        super().__init__(known)
        self._seed = seed

    def propose(self, study: optuna.Study) -> dict[str, Any]:
        minimised = study.direction == optuna.study.StudyDirection.MINIMIZE
        with warnings.catch_warnings():  # experimental in earlier versions of Optuna
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.GPSampler(seed=self._seed, n_startup_trials=STARTUP_TRIALS)
        copy = optuna.create_study(direction=study.direction, sampler=sampler)
        for trial in study.get_trials(deepcopy=False):
            values = {name: trial.params[name] for name in self._known if name in trial.params}
            if len(values) < len(self._known):
                continue  # the one that is being asked for
            common: dict[str, Any] = {"params": values, "distributions": self._known}
            if trial.state == TrialState.RUNNING:
                copy.add_trial(create_trial(state=TrialState.RUNNING, **common))
            elif (value := value_of(trial, minimised=minimised)) is not None:
                copy.add_trial(create_trial(value=value, **common))
        proposed = copy.ask(self._known).params
        return {name: proposed[name] for name in self._known}
