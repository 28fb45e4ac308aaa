"""Level 2: a search by the project's own pieces, driven by a small loop in place of Ray.

The real ones are the search space, ``StudySearcher`` with Optuna, ``StudyAsha`` with its audit,
and ``LearningCurve`` with its stopper. Ray's part is to call them in the order of
:meth:`Driver._step`: ASHA decides on a report before the searcher hears of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from benchmarks.verdict_simulation.world import World
from fer_tune.space import SearchSpace
from fer_tune.training.learning_curve import LearningCurve
from fer_tune.tuning.log.assignment import Assignment
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.monitor.recorder import reason_of
from fer_tune.tuning.raytune.replay import ReplayedRun, replay_settings
from fer_tune.tuning.studies.asha import SCORE, make_scheduler
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher

#: Trials at a time.
SLOTS = 4


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A run that has ended: its curve, why it ended, and since when it was audited, if it was."""

    assignment: Assignment
    curve: LearningCurve
    reason: str
    audited_at: int | None


@dataclass(frozen=True, kw_only=True)
class _Running:
    name: str  # Ray's trial id
    assignment: Assignment
    run: ReplayedRun


class Driver:
    """Runs the trials of one search, a few at a time, an epoch of each in turn.

    Args:
        folder: an empty one, for the event log.
    """

    def __init__(self, space: SearchSpace, world: World, folder: Path) -> None:
        self._world = world
        self._settings = replay_settings(space, folder)
        log = EventLog.begin(folder, {"space": space.as_dict()})
        self._history = History(identity={"space": space.as_dict()})
        self._searcher = StudySearcher(space, log, history=self._history)
        audit = RegretAudit(log, self._history, share=space.audit.share, seed=space.seeds.search)
        self._asha = make_scheduler(space, audit)
        self._asked = 0

    def search(self) -> list[Ended]:
        """All trials of the search, in order of their number."""
        ended: list[Ended] = []
        running: list[_Running] = []
        while True:
            while len(running) < SLOTS and (asked := self._ask()) is not None:
                running.append(asked)
            if not running:
                return sorted(ended, key=lambda one: one.assignment.number)
            over = [one for one in running if self._step(one)]
            ended += [self._ended(one) for one in over]
            running = [one for one in running if one not in over]

    def confirm(self, assignment: Assignment) -> Ended:
        """A confirmation run, which neither ASHA nor the stopper ends."""
        run = self._run(assignment)
        while (reason := run.curve.stop_reason()) is None:
            run.run_epoch()
        return Ended(assignment=assignment, curve=run.curve, reason=reason, audited_at=None)

    def _ask(self) -> _Running | None:
        name = f"t{self._asked}"
        asked = self._searcher.suggest(name)
        if asked == Searcher.FINISHED:
            return None
        self._asked += 1
        assignment = Assignment.from_dict(asked["run"])
        return _Running(name=name, assignment=assignment, run=self._run(assignment))

    def _run(self, assignment: Assignment) -> ReplayedRun:
        return ReplayedRun(
            lambda asked: self._world.curve(asked).recording, self._settings, assignment
        )

    def _step(self, one: _Running) -> bool:
        """Trains an epoch and reports it; whether that was the last."""
        report = one.run.run_epoch()
        assert report is not None, "recordings here do not run out of memory"
        curve = one.run.curve
        result = {
            "epoch": report.epoch,
            "val_macro_f1": report.val_macro_f1,
            SCORE: curve.score,
            "stop_reason": curve.stop_reason(),
            "ran": True,
        }
        if result["stop_reason"] is not None:
            self._asha.enter(one.assignment, result)
            over = True
        else:
            over = self._asha.judge(one.assignment, result) == TrialScheduler.STOP
        self._history.run(one.assignment).add_result(result, done=over)
        tell = self._searcher.on_trial_complete if over else self._searcher.on_trial_result
        tell(one.name, result)
        return over

    def _ended(self, one: _Running) -> Ended:
        known = self._history.run(one.assignment)
        return Ended(
            assignment=one.assignment,
            curve=one.run.curve,
            reason=reason_of(known),
            audited_at=known.audited_at,
        )
