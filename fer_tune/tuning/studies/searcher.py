"""Asks Optuna for configurations, one study per (arm, replicate), and reports the outcomes.

Ray's own OptunaSearch reports COMPLETE, with the last value, for every trial that a scheduler
stopped, and omits the last report. Here:

=====================================  ==================================================
how the trial ended                    what is reported to its study
=====================================  ==================================================
ran to its budget, or overfitted       COMPLETE with the best value so far
stopped by ASHA                        PRUNED with every intermediate value
audited (``regret_audit.py``)          the same, when ASHA would have stopped it; nothing of the
                                       epochs after that
diverged                               PRUNED with its finite values: TPE ignores FAIL and would
                                       keep asking there
out of memory                          FAIL; this (arm, crop, depth) and larger ones are not tried
                                       again, if the trial had its whole share of the GPU
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

from fer_tune.records import SAMPLED
from fer_tune.space import SearchSpace, StudyPlan, TrialConfig
from fer_tune.space import plan as make_plan
from fer_tune.space.plan import resolved_sampler
from fer_tune.tuning.log.assignment import (
    Assignment,
    Cohort,
    derive_seed,
    study_name,
)
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.allowance import Allowance
from fer_tune.tuning.studies.asha import SCORE
from fer_tune.tuning.studies.no_gain import no_gain, without_gain
from fer_tune.tuning.studies.oom_limits import OomLimits
from fer_tune.tuning.studies.study import ArmStudy, Baseline

logger = logging.getLogger(__name__)

#: Consecutive proposals within the out-of-memory limits after which random sampling replaces the
#: sampler, which ignores failures and would propose them again; and after which nothing is assumed
#: to fit.
SAMPLER_REJECTIONS = 10
MAX_REJECTIONS = 500


class StudySearcher(Searcher):
    """Serves the search's studies in turn until their trials are used up.

    Args:
        log: records every run before it starts.
        deadline_s: seconds of search after which no more trials are started; running ones finish.
        allowance: of searches whose budgets include confirmation; they need no ``deadline_s``.
        history: of earlier sessions, from which the studies are restored; runs that had not ended
            are served first. It also holds which trials are audited, also during this session.
    """

    def __init__(
        self,
        space: SearchSpace,
        log: EventLog,
        *,
        deadline_s: float | None = None,
        allowance: Allowance | None = None,
        history: History | None = None,
    ) -> None:
        super().__init__(metric=SCORE, mode="max")
        # Its log lines on every study and trial would garble the live table.
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.space = space
        self.studies = _studies(_with_sampler(space, history))
        self.assignments: dict[str, Assignment] = {}  # by Ray's trial id
        self.oom_limits = OomLimits()
        self._log = log
        self._deadline_s, self._allowance = deadline_s, allowance
        self._number = 0
        self._unfinished: list[Assignment] = []
        self._history = history or History(identity={})
        self._restore(self._history)

    # -- asking -----------------------------------------------------------------------------

    def suggest(self, trial_id: str) -> Any:
        """The next run as ``{"run": assignment}``; None for none as yet, or FINISHED."""
        if self._unfinished:
            return self._serve(trial_id, self._unfinished.pop(0))
        while True:
            open_studies = [s for s in self.studies if s.remaining]
            if not open_studies:
                return Searcher.FINISHED
            if self.out_of_time():
                # A trial that runs may end sooner than expected.
                return None if self._limits and self._limits.running else Searcher.FINISHED
            if self._is_without_gain():
                return Searcher.FINISHED
            if self._is_unknown():
                return None
            study = min(open_studies, key=lambda s: s.asked)
            planned, baseline = study.next_cohort()
            assignment = self._ask(study, planned, baseline)
            if assignment is not None:
                self._log.append("asked", planned=planned, run=assignment.as_dict())
                if self._allowance is not None:
                    self._allowance.begin(assignment)
                return self._serve(trial_id, assignment)
            self._log.append("skipped", study=study.name, planned=planned)
            logger.warning(
                "%s: skipping a %s trial: no configuration fits into memory", study.name, planned
            )

    def _serve(self, trial_id: str, assignment: Assignment) -> dict[str, Any]:
        self.assignments[trial_id] = assignment
        given = {k: v for k, v in assignment.config.as_dict().items() if v is not None}
        logger.info("%s (%s): %s", assignment.name, assignment.cohort, given)
        return {"run": assignment.as_dict()}

    @property
    def remaining(self) -> int:
        """Trials that may still be requested, or run again."""
        return len(self._unfinished) + (0 if self.out_of_time() else self.left)

    @property
    def left(self) -> int:
        """Trials that have not been asked for, whether or not they fit; 0 if they do not pay."""
        is_over = self._history.no_gain is not None
        return 0 if is_over else sum(s.remaining for s in self.studies)

    def _is_without_gain(self) -> bool:
        """Whether more trials do not pay; the decision is logged, and no session makes it again."""
        if self._history.no_gain is None and self.space.stop_when == "no_gain":
            decision = no_gain(self.space, self.studies)
            if decision is not None:
                self._log.append("no_gain", **decision.fields())
                self._history.no_gain = decision.fields()
                logger.info("%s", without_gain(decision.fields()))
        return self._history.no_gain is not None

    def _ask(self, study: ArmStudy, cohort: Cohort, baseline: Baseline | None) -> Assignment | None:
        number = self._number
        for rejections in range(MAX_REJECTIONS):
            if rejections >= SAMPLER_REJECTIONS:
                cohort = "random"
            arm, config = study.ask(number, cohort, baseline, rejections)
            if not self.oom_limits.excludes(arm, config):
                self._number += 1
                return self._assignment(number, arm, study.replicate, cohort, config)
            study.reject(number)
            if baseline is not None:
                return None  # a baseline has no other configuration
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
        """Whether a further round does not fit into a budget besides that of trials, as of now."""
        if self._limits is not None:
            self._limits.note()
        return bool(self.short())

    def short(self) -> dict[str, float]:
        """Budgets besides that of trials that a further round, one trial per study, would exceed.

        Earlier sessions are included. Where budgets include confirmation, a round that has begun is
        completed: arms keep equal numbers of trials.

        Returns:
            By key of the budget, the value that would do.
        """
        if self._limits is None:
            spent = self._log.spent()
            is_late = self._deadline_s is not None and spent >= self._deadline_s
            return {"wall_time": spent} if is_late else {}
        return {} if self._is_within_round else self._limits.short(len(self.studies))

    @property
    def _limits(self) -> Allowance | None:
        is_limited = self._allowance is not None and self._allowance.is_limited
        return self._allowance if is_limited else None

    @property
    def _is_within_round(self) -> bool:
        return len({s.asked for s in self.studies}) > 1

    def _is_unknown(self) -> bool:
        if self._limits is None or self._is_within_round:
            return False
        return self._limits.is_unknown(len(self.studies))

    def notes(self) -> list[str]:
        """What ends the search before its trials are used up, as of now, a line each."""
        found = []
        if self._limits is not None:
            found.append(self._limits.words())
        if self._history.no_gain is not None:
            found.append(without_gain(self._history.no_gain))
        return found

    # -- reporting --------------------------------------------------------------------------

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        self._report(self.assignments[trial_id], result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        assignment = self.assignments.get(trial_id)
        if assignment is not None:
            # The last report comes here alone, never through on_trial_result.
            self._end(assignment, None if error or not result else result)

    def _end(self, assignment: Assignment, last: dict[str, Any] | None) -> None:
        """Reports a run's end to its study, by its last report; None after an error."""
        study, number, reason = self._study(assignment), assignment.number, None
        if last is not None:
            self._report(assignment, last)
            reason = last.get("stop_reason")
        if self._allowance is not None:
            self._allowance.end(assignment)
        # Without its whole share the configuration may fit next time.
        if last is not None and reason == "oom" and last.get("oom_had_share") is not False:
            self.oom_limits.record(assignment.arm, assignment.config)
        if self._history.audited_at(number) is not None:
            # Reported already, unless a kill and then an error prevented the audited epoch.
            study.tell(number, TrialState.PRUNED)
        elif last is not None and reason in ("completed", "overfit"):
            study.tell(number, TrialState.COMPLETE, float(last[SCORE]) * self._sign)
        else:
            failed = last is None or reason == "oom"
            study.tell(number, TrialState.FAIL if failed else TrialState.PRUNED)

    def _report(self, assignment: Assignment, result: dict[str, Any]) -> None:
        """Passes a report to its study; that of the audited epoch ends the trial there."""
        study, number, epoch = self._study(assignment), assignment.number, result.get("epoch", 0)
        value = result.get(f"val_{self.space.metric}", math.nan)
        if self._allowance is not None:
            self._allowance.enter(assignment, result)
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

    def _restore(self, history: History) -> None:
        earlier = history.earlier
        for study in self.studies:
            study.learn(earlier)
        by_name = {study.name: study for study in self.studies}
        for name, planned in history.skipped:
            by_name[name].use_up(planned)
        for run in history.trials:
            assignment = run.assignment
            study = self._study(assignment)
            if self._allowance is not None:
                self._allowance.begin(assignment)
            study.use_up(run.planned)
            study.restore(assignment.number, assignment.cohort, assignment.arm, assignment.config)
            for result in run.results:
                self._report(assignment, result)
            if run.ended:
                self._end(assignment, None if run.failed else run.last)
            else:
                self._unfinished.append(assignment)
        # The budget may be extended after confirmation, whose runs have held accelerators.
        for run in history.runs.values():
            if self._allowance is not None and run.assignment.cohort == "confirm":
                for result in run.results:
                    self._allowance.enter(run.assignment, result)
        self._number = max(history.runs, default=-1) + 1

    def save(self, checkpoint_path: str) -> None:
        """Required by Ray for its own snapshots, which are not used: see the event log."""
        Path(checkpoint_path).write_text("see events.jsonl\n")


def _with_sampler(space: SearchSpace, history: History | None) -> SearchSpace:
    """The space with ``auto`` resolved: a search keeps the sampler that it began with."""
    chosen = next(
        (run.planned for run in (history.trials if history else ()) if run.planned in SAMPLED),
        resolved_sampler(space),
    )
    return space.model_copy(update={"sampler": chosen}) if space.sampler == "auto" else space


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
    proposed: Cohort = resolved_sampler(space)
    return trials + [(proposed, None)] * study.proposed
