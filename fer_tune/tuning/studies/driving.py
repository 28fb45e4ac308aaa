"""The decisions of a search without Ray's processes: its searcher and scheduler, called as by Ray.

The calls and their order are those of Ray's ``TuneController``: a report of a run that goes on
reaches the scheduler and then the searcher; one after which a run ends, by itself or by ASHA,
reaches them through their ``on_trial_complete`` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from fer_tune.space import SearchSpace
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.allowance import Allowance
from fer_tune.tuning.studies.asha import make_scheduler
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher
from fer_tune.tuning.studies.used_up import used_up


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """What the scheduler reads of Ray's trial."""

    trial_id: str
    config: dict[str, Any]


class Decisions:
    """Which trials a search asks for, and when it ends them.

    Args:
        log: its clock decides when the budget of wall time is used up.
        slots: runs at a time.
    """

    def __init__(self, space: SearchSpace, log: EventLog, *, slots: int = 1) -> None:
        self._history = History(identity={})
        audit = RegretAudit(log, self._history, share=space.audit.share, seed=space.seeds.search)
        self._scheduler = make_scheduler(space, audit)
        self._searcher = StudySearcher(
            space, log, allowance=Allowance(space, log, slots=slots), history=self._history
        )
        self._trials: dict[int, _Trial] = {}
        self._is_finished = False

    def ask(self) -> Assignment | None:
        """The next trial; None where there is none as yet, or once there are no more."""
        if self._is_finished:  # for Ray, too, this is final
            return None
        trial_id = str(len(self._trials))
        given = self._searcher.suggest(trial_id)
        self._is_finished = given == Searcher.FINISHED
        if given is None or self._is_finished:
            return None
        assignment = Assignment.from_dict(given["run"])
        self._trials[assignment.number] = _Trial(trial_id=trial_id, config=given)
        return assignment

    def report(self, assignment: Assignment, result: dict[str, Any]) -> bool:
        """Enters a report; whether the trial ends.

        Args:
            result: as a run reports it, with ``done`` where it ends by itself.
        """
        trial = self._trials[assignment.number]
        ends = bool(result["done"]) or (
            self._scheduler.on_trial_result(None, trial, result) == TrialScheduler.STOP
        )
        if ends:
            self._scheduler.on_trial_complete(None, trial, result)
            self._searcher.on_trial_complete(trial.trial_id, result)
        else:
            self._searcher.on_trial_result(trial.trial_id, result)
        return ends

    def fail(self, assignment: Assignment) -> None:
        """Enters that a trial ended with an error."""
        trial = self._trials[assignment.number]
        self._scheduler.on_trial_error(None, trial)
        self._searcher.on_trial_complete(trial.trial_id, error=True)

    def is_cut(self) -> bool:
        """Whether a budget besides that of trials leaves no more trials, although some are left."""
        return used_up(self._searcher) is not None

    def is_audited(self, assignment: Assignment) -> bool:
        """Whether ASHA would have stopped the trial, which continues for the audit."""
        return self._history.audited_at(assignment.number) is not None
