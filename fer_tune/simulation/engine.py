"""Drives a search under virtual time: what Ray does to its searcher and scheduler, in its order.

The searcher, ASHA's rungs, the regret audit and the stop rules are the objects of real searches:
a change of them changes the simulation.
"""

from __future__ import annotations

import heapq
import itertools
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from fer_tune.simulation.fleet import Fleet
from fer_tune.simulation.world import Course, World
from fer_tune.space import SearchSpace
from fer_tune.training.learning_curve import EpochReport, LearningCurve
from fer_tune.tuning.log.assignment import Assignment, derive_seed
from fer_tune.tuning.log.events import EventLog, History
from fer_tune.tuning.studies.asha import SCORE, StudyAsha, make_scheduler
from fer_tune.tuning.studies.regret_audit import RegretAudit
from fer_tune.tuning.studies.searcher import StudySearcher

State = Literal["complete", "pruned", "overfit", "diverged", "oom", "failed"]
_STATES: dict[str, State] = {"completed": "complete", "overfit": "overfit", "diverged": "diverged"}


@dataclass(kw_only=True)
class SimulatedRun:
    """A trial or confirmation run and what became of it.

    Attributes:
        began, ended: seconds of virtual time since the beginning of the search.
        busy_s: seconds for which it held its share, restarts included.
        losses: times its machine was lost.
        best: best validation value, larger is better; NaN without one.
        final_best: what it would have been without ASHA.
        test: score on test of its best epoch; confirmation runs alone report it.
    """

    assignment: Assignment
    began: float
    course: Course
    curve: LearningCurve
    ended: float = math.nan
    busy_s: float = 0.0
    losses: int = 0
    state: State | None = None
    audited: bool = False

    @property
    def epochs(self) -> int:
        return self.curve.epoch

    @property
    def best(self) -> float:
        return self.curve.score

    @property
    def final_best(self) -> float:
        values = self.course.values if self.curve.metric != "loss" else -self.course.values
        finite = values[np.isfinite(values)]
        return float(finite.max()) if finite.size else math.nan

    @property
    def test(self) -> float:
        return self.course.test


@dataclass(kw_only=True)
class SimulatedSearch:
    """What a simulated search did.

    Attributes:
        runs: its trials in order of asking, without confirmation.
        confirmations: confirmation runs.
        seconds: from the beginning to the last end, confirmation included.
        searched_s: to the end of the last trial.
        slots: trials that ran at a time.
        share: of a GPU that each held.
    """

    space: SearchSpace
    runs: list[SimulatedRun]
    confirmations: list[SimulatedRun] = field(default_factory=list)
    seconds: float = 0.0
    searched_s: float = 0.0
    slots: int = 1
    share: float = 1.0

    @property
    def epochs(self) -> int:
        """Epochs of trials and confirmation runs."""
        return sum(run.epochs for run in (*self.runs, *self.confirmations))

    @property
    def accelerator_s(self) -> float:
        """Seconds times share of a GPU that runs held."""
        return self.share * sum(run.busy_s for run in (*self.runs, *self.confirmations))

    @property
    def utilisation(self) -> float:
        """Share of the time for which the fleet's slots were held."""
        busy = sum(run.busy_s for run in (*self.runs, *self.confirmations))
        return busy / (self.slots * self.seconds) if self.seconds > 0 else 0.0


class VirtualLog(EventLog):
    """An event log that writes nothing, and whose clock is the simulation's."""

    def __init__(self) -> None:
        self.now = 0.0

    def append(self, kind: Any, **fields: Any) -> None:
        """Nothing is recorded: a simulation is repeated, not resumed."""

    def spent(self) -> float:
        return self.now


class Engine:
    """One simulated search.

    Args:
        world: what training would give.
        fleet: the machines.
        seed: of lost machines; that of everything else is the search space's.
    """

    def __init__(self, space: SearchSpace, world: World, fleet: Fleet, *, seed: int = 0) -> None:
        self._space, self._world, self._fleet = space, world, fleet
        self._draws = np.random.default_rng([seed, 1])
        self._log, self._history = VirtualLog(), History(identity={})
        audit = RegretAudit(
            self._log, self._history, share=space.audit.share, seed=space.seeds.search
        )
        self._scheduler = make_scheduler(space, audit)
        self._searcher = StudySearcher(
            space, self._log, deadline_s=space.budget.wall_time, history=self._history
        )
        self._now = 0.0

    def run(self) -> SimulatedSearch:
        """All trials of the search, to their ends."""
        runs: list[SimulatedRun] = []

        def next_run() -> tuple[str, Assignment] | None:
            trial_id = str(len(runs))
            suggested = self._searcher.suggest(trial_id)
            if suggested == Searcher.FINISHED:
                return None
            return trial_id, Assignment.from_dict(suggested["run"])

        self._drive(next_run, runs, confirming=False)
        return SimulatedSearch(
            space=self._space,
            runs=runs,
            seconds=self._now,
            searched_s=self._now,
            slots=self._fleet.slots,
            share=self._fleet.share,
        )

    def confirm(self, search: SimulatedSearch, seeds: int) -> None:
        """Adds the confirmation runs of the best eligible trial of every study, as real ones."""
        chosen = best_of_studies(search.runs)
        base, first = self._space.seeds.search, len(search.runs)
        waiting = [
            Assignment(
                number=first + k * len(chosen) + i,
                arm=run.assignment.arm,
                replicate=run.assignment.replicate,
                cohort="confirm",
                seed=derive_seed(base, "confirm", run.assignment.replicate, k),
                weights_seed=derive_seed(base, "confirm-weights", run.assignment.replicate, k),
                view_seed=derive_seed(base, "confirm-views", run.assignment.replicate, k),
                config=run.assignment.config,
            )
            for k in range(seeds)
            for i, run in enumerate(chosen)
        ]
        waiting.reverse()

        def next_run() -> tuple[str, Assignment] | None:
            return ("", waiting.pop()) if waiting else None

        self._drive(next_run, search.confirmations, confirming=True)
        search.seconds = self._now

    # -- virtual time -----------------------------------------------------------------------

    def _drive(self, next_run: Any, runs: list[SimulatedRun], *, confirming: bool) -> None:
        """Starts runs while slots are free, and advances to the next event until none is left."""
        order = itertools.count()
        events: list[tuple[float, int, str, SimulatedRun | None]] = []
        free, exhausted = 0, False
        there = self._fleet.autoscale_delay_s if not confirming else 0.0
        for _ in range(self._fleet.slots):
            heapq.heappush(events, (self._now + there, next(order), "machine", None))
        lost_at: dict[int, float] = {}  # by run's number
        at_risk: dict[int, float] = {}  # virtual time of the last checkpoint
        ids: dict[int, str] = {}

        def begin(run: SimulatedRun, extra: float) -> None:
            number = run.assignment.number
            lost_at[number] = self._now + self._fleet.life_s(self._draws)
            at_risk[number] = self._now
            step(run, extra)

        def step(run: SimulatedRun, extra: float = 0.0) -> None:
            """Schedules a run's next epoch, or the loss of its machine if that comes first."""
            number = run.assignment.number
            takes = extra + float(run.course.seconds[min(run.epochs, len(run.course.seconds) - 1)])
            ends = self._now + takes
            kind = "epoch" if ends <= lost_at[number] else "lost"
            heapq.heappush(events, (min(ends, lost_at[number]), next(order), kind, run))

        def start() -> bool:
            given = next_run()
            if given is None:
                return False
            trial_id, assignment = given
            ids[assignment.number] = trial_id
            course = self._world.course(assignment, self._space.budget.max_epochs)
            run = SimulatedRun(
                assignment=assignment, began=self._now, course=course, curve=self._curve(confirming)
            )
            runs.append(run)
            begin(run, self._fleet.start_s + course.setup_s)
            return True

        while True:
            while free and not exhausted:
                if start():
                    free -= 1
                else:
                    exhausted = True
            if not events or (exhausted and all(kind == "machine" for _, _, kind, _ in events)):
                return
            self._now, _, kind, run = heapq.heappop(events)
            self._log.now = self._now
            if run is None:
                free += 1
                continue
            number = run.assignment.number
            if kind == "lost":
                # It starts again on the replacement, and repeats what no checkpoint has.
                run.losses += 1
                since = max(at_risk[number], self._now - self._fleet.checkpoint_interval_s)
                repeated = max(0.0, self._now - since)
                back = self._now + self._fleet.autoscale_delay_s
                heapq.heappush(events, (back, next(order), "back", run))
                run.busy_s += repeated
                continue
            if kind == "back":
                begin(run, self._fleet.start_s + run.course.setup_s)
                continue
            run.busy_s += self._now - at_risk[number]
            at_risk[number] = self._now
            if self._report(run, ids[number], confirming):
                run.ended = self._now
                free += 1
            else:
                step(run)

    # -- one report -------------------------------------------------------------------------

    def _curve(self, confirming: bool) -> LearningCurve:
        space = self._space
        return LearningCurve(
            metric=space.metric,
            classes=self._world.classes,
            max_epochs=space.budget.max_epochs,
            patience=space.stopper.patience,
            window=space.stopper.window,
            stop_early=space.stopper.enabled and not confirming,
        )

    def _report(self, run: SimulatedRun, trial_id: str, confirming: bool) -> bool:
        """One epoch's report, to scheduler and searcher; whether the run ends."""
        failed = run.course.fails_after is not None and run.epochs >= run.course.fails_after
        if failed and run.course.failure == "failed":
            run.state = "failed"
            if not confirming:
                self._searcher.on_trial_complete(trial_id, None, error=True)
            return True
        if failed:
            run.curve.out_of_memory = True
        else:
            run.curve.reports.append(_epoch_report(run, self._space.metric))
        result = self._result(run)
        reason = result["stop_reason"]
        if confirming:
            run.state = "oom" if reason == "oom" else _STATES[reason] if reason else None
            return reason is not None
        history = self._history.run(run.assignment)
        if reason is not None:
            run.state = "oom" if reason == "oom" else _STATES[reason]
            if isinstance(self._scheduler, StudyAsha):
                self._scheduler.enter(run.assignment, result)
        elif isinstance(self._scheduler, StudyAsha):
            stopped = self._scheduler.judge(run.assignment, result) == TrialScheduler.STOP
            run.state = "pruned" if stopped else None
            run.audited = history.audited_at is not None
        ended = run.state is not None
        history.done = ended
        if ended:
            if run.audited:
                run.state = "pruned"
            self._searcher.on_trial_complete(trial_id, result)
        else:
            self._searcher.on_trial_result(trial_id, result)
        return ended

    def _result(self, run: SimulatedRun) -> dict[str, Any]:
        last = run.curve.reports[-1] if run.curve.reports else None
        value = math.nan if last is None else getattr(last, f"val_{self._space.metric}")
        return {
            "epoch": run.epochs,
            "ran": True,
            SCORE: run.curve.score,
            f"val_{self._space.metric}": value,
            "stop_reason": run.curve.stop_reason(),
            "oom_had_share": True,
        }


def best_of_studies(runs: list[SimulatedRun]) -> list[SimulatedRun]:
    """The best eligible trial of every study, the earliest on ties; as ``studies.confirmation``."""
    best: dict[tuple[str, int], SimulatedRun] = {}
    for run in runs:
        key = (run.assignment.arm, run.assignment.replicate)
        eligible = run.state in ("complete", "overfit") and math.isfinite(run.best)
        if eligible and (key not in best or run.best > best[key].best):
            best[key] = run
    return [best[key] for key in sorted(best)]


def _epoch_report(run: SimulatedRun, metric: str) -> EpochReport:
    at, course = run.epochs, run.course
    scores = {"macro_f1": math.nan, "accuracy": math.nan}
    if metric in scores:
        scores[metric] = float(course.values[at])
    return EpochReport(
        epoch=at + 1,
        train_loss=float(course.train_loss[at]),
        train_accuracy=math.nan,
        train_macro_f1=math.nan,
        val_loss=float(course.val_loss[at]),
        val_accuracy=scores["accuracy"],
        val_macro_f1=scores["macro_f1"],
        lr_head=math.nan,
        lr_backbone=math.nan,
        seconds=float(course.seconds[at]),
        images_per_s=math.nan,
        bank_hits=0,
        bank_misses=0,
        peak_memory_mib=math.nan,
    )


def simulate(
    space: SearchSpace, world: World, fleet: Fleet, *, seed: int = 0, confirm: bool = True
) -> SimulatedSearch:
    """One whole search under virtual time.

    Args:
        world: what training would give.
        seed: of lost machines.
        confirm: also confirm the choices, with the seeds that ``space`` asks for.
    """
    engine = Engine(space, world, fleet, seed=seed)
    search = engine.run()
    if confirm and space.confirm.seeds:
        engine.confirm(search, space.confirm.seeds)
    return search
