"""ASHA with rungs of its own for every study.

Ray's scheduler keeps one set of rungs, so a trial of one arm could be stopped because the other
arm's are better: a verdict in disguise, passed at the first rung. Here every study compares its
own trials alone (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

What is compared is the best value so far, as that is what a trial is finally worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.schedulers.async_hyperband import _Bracket

from fer_tune.tuning.assignment import Assignment

#: Result key of the best value so far; larger is better (negated for a loss).
SCORE = "score"


class StudyAsha(AsyncHyperBandScheduler):
    """Ray's ASHA, a bracket per study; without randomness, and its rungs can be saved."""

    def __init__(self, *, max_epochs: int, grace_epochs: int, reduction_factor: int) -> None:
        super().__init__(
            metric=SCORE,
            mode="max",
            max_t=max_epochs,
            grace_period=grace_epochs,
            reduction_factor=reduction_factor,
        )
        self._studies: dict[str, _Bracket] = {}
        self._shape = (grace_epochs, max_epochs, reduction_factor)

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Files the trial under its study's bracket, whatever Ray would have drawn."""
        study = Assignment.from_dict(trial.config["run"]).study
        self._trial_info[trial.trial_id] = self._bracket(study)

    def _bracket(self, study: str) -> _Bracket:
        if study not in self._studies:
            grace, max_epochs, factor = self._shape
            self._studies[study] = _Bracket(grace, max_epochs, factor, 0)
        return self._studies[study]

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """A value that is not finite is left to the trial's own end as ``diverged``."""
        if not math.isfinite(result.get(SCORE, math.nan)):
            return TrialScheduler.CONTINUE
        return super().on_trial_result(tune_controller, trial, result)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The last value of a trial that ended by itself counts at its rung, if it is one."""
        if math.isfinite(result.get(SCORE, math.nan)):
            super().on_trial_complete(tune_controller, trial, result)
        else:
            self._trial_info.pop(trial.trial_id, None)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        self._trial_info.pop(trial.trial_id, None)

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        self._trial_info.pop(trial.trial_id, None)

    # -- memory -----------------------------------------------------------------------------

    def rungs(self) -> dict[str, dict[int, dict[str, float]]]:
        """Per study, per rung's epoch: the value of every trial that reached it."""
        return {
            study: {int(epoch): dict(values) for epoch, values in bracket._rungs}
            for study, bracket in self._studies.items()
        }

    def set_rungs(self, rungs: Mapping[str, Mapping[int, Mapping[str, float]]]) -> None:
        """Brings back what :meth:`rungs` gave; Ray itself does not save a scheduler."""
        for study, by_epoch in rungs.items():
            for epoch, values in self._bracket(study)._rungs:
                values.update(by_epoch.get(int(epoch), {}))


def make_scheduler(kind: str, *, max_epochs: int, grace_epochs: int, reduction_factor: int) -> Any:
    """The scheduler of a search space: ASHA or none (first in, first out)."""
    if kind == "none":
        from ray.tune.schedulers import FIFOScheduler

        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return StudyAsha(
        max_epochs=max_epochs, grace_epochs=grace_epochs, reduction_factor=reduction_factor
    )
