"""ASHA with rungs of its own for every study.

Ray's scheduler keeps one set of rungs, so a trial of one arm could be stopped because trials of the
other arm are better: that would decide the verdict at the first rung. Here every study compares
only its own trials (Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning").

Trials are compared by their best value so far, as that is their final value.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from fer_tune import ray_private
from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.run_history import RunHistory
from fer_tune.tuning.studies.regret_audit import RegretAudit

#: Result key of the best value so far; larger is better (negated for a loss).
SCORE = "score"


@dataclass(frozen=True)
class _Entrant:
    """Identifies a trial in Ray's rungs: by our number, which a resumed trial keeps."""

    trial_id: int


class StudyAsha(FIFOScheduler):
    """Ray's rungs, a set per study; deterministic, and rebuilt from the reports.

    Args: audit: lets some of the trials that would be stopped continue; none by default.
    """

    def __init__(
        self,
        *,
        max_epochs: int,
        grace_epochs: int,
        reduction_factor: int,
        audit: RegretAudit | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._audit = audit
        self._studies: dict[str, Any] = {}
        self._shape = (grace_epochs, max_epochs, reduction_factor)

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        return self.judge(Assignment.from_dict(trial.config["run"]), result)

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Enters the last report of a trial that ended by itself, which may be at a rung."""
        self.enter(Assignment.from_dict(trial.config["run"]), result)

    def judge(self, assignment: Assignment, result: dict[str, Any]) -> str:
        """Enters a report; ``STOP`` if its trial is to end, ``CONTINUE`` if it is audited."""
        decision = self.enter(assignment, result)
        if decision == TrialScheduler.CONTINUE or self._audit is None:
            return decision
        audited = self._audit.admits(assignment, result["epoch"])
        return TrialScheduler.CONTINUE if audited else decision

    def enter(self, assignment: Assignment, result: dict[str, Any]) -> str:
        """Enters a report into its study's rungs; ``STOP`` if it is not promoted there.

        Values that are not finite are skipped: the trial ends itself as ``diverged``. Entering a
        report twice changes nothing. Reports of an audited trial after the epoch at which it would
        have been stopped are skipped: no other trial may depend on them.
        """
        since = None if self._audit is None else self._audit.since(assignment.number)
        score = result.get(SCORE, math.nan)
        if not math.isfinite(score) or (since is not None and result["epoch"] > since):
            return TrialScheduler.CONTINUE
        bracket = self._bracket(assignment.study)
        entrant: Any = _Entrant(assignment.number)
        decision = bracket.on_result(entrant, result["epoch"], score)
        # A kill may have come between the log of the audit and that of the report.
        return decision if since is None else TrialScheduler.CONTINUE

    def _bracket(self, study: str) -> Any:
        if study not in self._studies:
            self._studies[study] = ray_private.Bracket(*self._shape, 0)
        return self._studies[study]

    # -- memory -----------------------------------------------------------------------------

    def replay(self, trials: Iterable[RunHistory]) -> None:
        """Fills the rungs with earlier reports; no decision is made again."""
        for trial in trials:
            for result in trial.results:
                if trial.audited_at is None or result["epoch"] <= trial.audited_at:
                    self.enter(trial.assignment, result)

    def rungs(self) -> dict[str, dict[int, dict[int, float]]]:
        """Per study, per rung's epoch: the value of every trial that reached it, by number."""
        return {study: ray_private.rungs(bracket) for study, bracket in self._studies.items()}


def make_scheduler(space: SearchSpace, audit: RegretAudit) -> Any:
    """The scheduler of a search space: ASHA, or first in, first out without an audit."""
    if space.scheduler.kind == "none":
        return FIFOScheduler()  # type: ignore[no-untyped-call]
    return StudyAsha(
        max_epochs=space.budget.max_epochs,
        grace_epochs=space.scheduler.grace_epochs,
        reduction_factor=space.scheduler.reduction_factor,
        audit=audit,
    )
