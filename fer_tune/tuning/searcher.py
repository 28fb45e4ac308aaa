"""Asks Optuna for configurations, one study per (arm, replicate), and tells it the truth.

Ray's own OptunaSearch tells COMPLETE, with the last value, for every trial that a scheduler
stopped, and forgets the last report. Here:

=====================================  ==================================================
how the trial ended                    what its study is told
=====================================  ==================================================
ran to its budget, or overfitted       COMPLETE with the best value so far
stopped by ASHA                        PRUNED with every intermediate value
audited (``audit.py``)                 the same, when ASHA would have stopped it; it runs on,
                                       and of that its study hears nothing
diverged                               PRUNED with its finite values: TPE ignores FAIL and
                                       would keep asking there
out of memory                          FAIL; this (arm, crop, depth) and larger ones are
                                       not asked for again
crashed                                FAIL
=====================================  ==================================================
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState
from ray.tune.search import Searcher

from fer_tune.space import SearchSpace, StudyPlan, TrialConfig
from fer_tune.space import plan as make_plan
from fer_tune.tuning.asha import SCORE
from fer_tune.tuning.assignment import Assignment, Cohort, derive_seed, study_name
from fer_tune.tuning.events import EventLog, History
from fer_tune.tuning.exclusion import MemoryWall
from fer_tune.tuning.study import ArmStudy, Baseline

logger = logging.getLogger(__name__)

#: Proposals refused in a row by the memory wall before TPE, which ignores failures and so stays
#: where it is, gives way to chance; and before the study is taken to have nothing left that fits.
TPE_REFUSALS = 10
MAX_REFUSALS = 500


class StudySearcher(Searcher):
    """Serves the search's studies in turn until their trials are used up.

    Args:
        log: told of every run that is asked for, before it starts.
        deadline_s: seconds of search after which nothing more is asked; running trials drain.
        history: of earlier sittings: the studies are told all of it, and runs that had not ended
            are served again first. Which trials are audited is read there as the search goes on.
    """

    def __init__(
        self,
        space: SearchSpace,
        log: EventLog,
        *,
        deadline_s: float | None = None,
        history: History | None = None,
    ) -> None:
        super().__init__(metric=SCORE, mode="max")
        # Its notes on every study and trial would tear the live table.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self.studies = _studies(space)
        self.assignments: dict[str, Assignment] = {}  # by Ray's trial id
        self.wall = MemoryWall()
        self._log = log
        self._deadline_s = deadline_s
        self._number = 0
        self._unfinished: list[Assignment] = []
        self._history = history or History(identity={})
        self._recall(self._history)

    # -- asking -----------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """The next run as ``{"run": assignment}``, or FINISHED."""
        if self._unfinished:
            return self._serve(trial_id, self._unfinished.pop(0))
        while True:
            open_studies = [s for s in self.studies if s.remaining]
            if not open_studies or self.out_of_time():
                return Searcher.FINISHED
            study = min(open_studies, key=lambda s: s.asked)
            planned, baseline = study.next_cohort()
            assignment = self._ask(study, planned, baseline)
            if assignment is not None:
                self._log.append("asked", planned=planned, run=assignment.as_dict())
                return self._serve(trial_id, assignment)
            self._log.append("skipped", study=study.name, planned=planned)
            logger.warning("%s: a %s trial is left out, nothing that fits", study.name, planned)

    def _serve(self, trial_id: str, assignment: Assignment) -> dict[str, Any]:
        self.assignments[trial_id] = assignment
        given = {k: v for k, v in assignment.config.as_dict().items() if v is not None}
        logger.info("%s (%s): %s", assignment.name, assignment.cohort, given)
        return {"run": assignment.as_dict()}

    @property
    def remaining(self) -> int:
        """Trials that may still be asked for, or run again."""
        left = 0 if self.out_of_time() else sum(s.remaining for s in self.studies)
        return len(self._unfinished) + left

    def _ask(self, study: ArmStudy, cohort: Cohort, baseline: Baseline | None) -> Assignment | None:
        number = self._number
        for refusals in range(MAX_REFUSALS):
            if refusals >= TPE_REFUSALS:
                cohort = "random"
            arm, config = study.ask(number, cohort, baseline, refusals)
            if not self.wall.excludes(arm, config):
                self._number += 1
                return self._assignment(number, arm, study.replicate, cohort, config)
            study.refuse(number)
            if baseline is not None:
                return None  # a baseline is this configuration or none
        return None

    def _assignment(
        self, number: int, arm: str, replicate: int, cohort: Cohort, config: TrialConfig
    ) -> Assignment:
        seeds = self.space.seeds
        return Assignment(
            number=number,
            arm=arm,
            replicate=replicate,
            cohort=cohort,
            seed=derive_seed(seeds.search, "trial", number),
            weights_seed=seeds.weights,
            view_seed=seeds.views,
            config=config,
        )

    def out_of_time(self) -> bool:
        """Whether the wall-time budget is used up, earlier sittings included."""
        return self._deadline_s is not None and self._log.spent() >= self._deadline_s

    # -- telling ----------------------------------------------------------------------------

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._take(self.assignments[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        assignment = self.assignments.get(trial_id)
        if assignment is not None:
            # The last report comes here alone, never through on_trial_result.
            self._end(assignment, None if error or not result else result)

    def _end(self, assignment: Assignment, last: dict[str, Any] | None) -> None:
        """Tells the study of a run's end, by its last report; None after an error."""
        study, number, reason = self._study(assignment), assignment.number, None
        if last is not None:
            self._take(assignment, last)
            reason = last.get("stop_reason")
        if reason == "oom":
            self.wall.record(assignment.arm, assignment.config)
        if self._history.audited_at(number) is not None:
            # Told already, but where a kill and then a fault kept the audited epoch from coming.
            study.tell(number, TrialState.PRUNED)
        elif last is not None and reason in ("completed", "overfit"):
            study.tell(number, TrialState.COMPLETE, float(last[SCORE]) * self._sign)
        else:
            failed = last is None or reason == "oom"
            study.tell(number, TrialState.FAIL if failed else TrialState.PRUNED)

    def _take(self, assignment: Assignment, result: dict[str, Any]) -> None:
        """Passes a report on; with that of the audited epoch a trial is over for its study."""
        study, number, epoch = self._study(assignment), assignment.number, result.get("epoch", 0)
        value = result.get(f"val_{self.space.metric}", math.nan)
        study.report(number, epoch, float(value))
        since = self._history.audited_at(number)
        if since is not None and epoch >= since:
            study.tell(number, TrialState.PRUNED)

    @property
    def _sign(self) -> float:
        return -1.0 if self.space.metric == "loss" else 1.0

    def _study(self, assignment: Assignment) -> ArmStudy:
        return next(
            s
            for s in self.studies
            if assignment.arm in s.arms and s.replicate == assignment.replicate
        )

    # -- memory -----------------------------------------------------------------------------

    def _recall(self, history: History) -> None:
        by_name = {study.name: study for study in self.studies}
        for name, planned in history.skipped:
            by_name[name].pass_over(planned)
        for run in history.trials:
            assignment = run.assignment
            study = self._study(assignment)
            study.pass_over(run.planned)
            study.recall(assignment.number, assignment.cohort, assignment.arm, assignment.config)
            for result in run.results:
                self._take(assignment, result)
            if run.ended:
                self._end(assignment, None if run.failed else run.last)
            else:
                self._unfinished.append(assignment)
        # Confirmation runs have numbers too, should the budget be extended after them.
        self._number = max(history.runs, default=-1) + 1

    def save(self, checkpoint_path: str) -> None:
        """Ray asks for it with its own snapshots, which nobody reads: the log is what counts."""
        Path(checkpoint_path).write_text("see events.jsonl\n")


def _studies(space: SearchSpace) -> list[ArmStudy]:
    """The search's studies in the order they are served, arms alternating."""
    return [
        ArmStudy(
            space,
            arms=tuple(space.compare.arms) if study.arm is None else (study.arm,),
            replicate=study.replicate,
            trials=_trials(space, study),
            name=study_name(study.arm or "all", study.replicate),
        )
        for study in sorted(make_plan(space).studies, key=lambda s: s.replicate)
    ]


def _trials(space: SearchSpace, study: StudyPlan) -> list[tuple[Cohort, Baseline | None]]:
    arms = list(space.compare.arms) if study.arm is None else [study.arm]
    trials: list[tuple[Cohort, Baseline | None]] = [
        ("baseline", (arm, config)) for arm in arms for config in space.baselines(arm)
    ]
    trials += [("random", None)] * study.random
    return trials + [("tpe", None)] * study.tpe
