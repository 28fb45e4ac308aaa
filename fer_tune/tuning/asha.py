"""ASHA with rungs of its own for every study.

Ray's scheduler keeps one set of rungs, so a trial of one arm could be stopped because the other
arm's are better: a verdict in disguise, passed at the first rung. Here every study compares its
own trials alone (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

What is compared is the best value so far, as that is what a trial is finally worth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.schedulers.async_hyperband import _Bracket

from fer_tune.space import SearchSpace
from fer_tune.tuning.assignment import Assignment
from fer_tune.tuning.audit import Audit
from fer_tune.tuning.run_history import RunHistory

#: Result key of the best value so far; larger is better (negated for a loss).
SCORE = "score"


@dataclass(frozen=True)
class _Entrant:
    """What Ray's rungs know a trial by: our number, which a resumed trial keeps."""

    trial_id: int


class StudyAsha(FIFOScheduler):
    """Ray's rungs, a set per study; without randomness, and rebuilt from what was reported.

    Args:
        audit: takes some of the trials that would be stopped; none by default.
    """

    def __init__(
        self,
        *,
        max_epochs: int,
        grace_epochs: int,
        reduction_factor: int,
        audit: Audit | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._audit = audit
        self._studies: dict[str, _Bracket] = {}
        self._shape = (grace_epochs, max_epochs, reduction_factor)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        return self.judge(Assignment.from_dict(trial.config["run"]), result)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """The last value of a trial that ended by itself counts at its rung, if it is one."""
        self.enter(Assignment.from_dict(trial.config["run"]), result)

    def judge(self, assignment: Assignment, result: dict[str, Any]) -> str:
        """Enters a report; ``STOP`` if its trial is to end, which it is not when it is audited."""
        decision = self.enter(assignment, result)
        if decision == TrialScheduler.CONTINUE or self._audit is None:
            return decision
        audited = self._audit.takes(assignment, result["epoch"])
        return TrialScheduler.CONTINUE if audited else decision

    def enter(self, assignment: Assignment, result: dict[str, Any]) -> str:
        """Enters a report into its study's rungs; ``STOP`` if it is among the worse there.

        A value that is not finite is left to the trial's own end as ``diverged``. A report that
        was entered before changes nothing. What an audited trial reports after the epoch at which
        it would have been stopped is not entered: nobody else's fate may depend on it.
        """
        since = None if self._audit is None else self._audit.since(assignment.number)
        score = result.get(SCORE, math.nan)
        if not math.isfinite(score) or (since is not None and result["epoch"] > since):
            return TrialScheduler.CONTINUE
        bracket = self._bracket(assignment.study)
        entrant: Any = _Entrant(assignment.number)
        decision = bracket.on_result(entrant, result["epoch"], score)
        # A kill may have come after the audit was noted and before the report was.
        return decision if since is None else TrialScheduler.CONTINUE

    def _bracket(self, study: str) -> _Bracket:
        if study not in self._studies:
            grace, max_epochs, factor = self._shape
            self._studies[study] = _Bracket(grace, max_epochs, factor, 0)
        return self._studies[study]

    # -- memory -----------------------------------------------------------------------------

    def recall(self, trials: Iterable[RunHistory]) -> None:
        """Fills the rungs with what was reported before; nothing is decided anew."""
        for trial in trials:
            for result in trial.results:
                if trial.audited_at is None or result["epoch"] <= trial.audited_at:
                    self.enter(trial.assignment, result)

    def rungs(self) -> dict[str, dict[int, dict[int, float]]]:
        """Per study, per rung's epoch: the value of every trial that reached it, by number."""
        return {
            study: {int(epoch): dict(values) for epoch, values in bracket._rungs}
            for study, bracket in self._studies.items()
        }


def make_scheduler(space: SearchSpace, audit: Audit) -> Any:
    """The scheduler of a search space: ASHA, or none (first in, first out) and so no audit."""
    if space.scheduler.kind == "none":
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return StudyAsha(
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
        audit=audit,
    )
